/**
 * Where branch calls may go, by the settings Egress.Allow and Egress.Deny (design.md 7). Clients name the URLs, so what only this
 * machine can reach and nobody calls on purpose, a cloud's metadata service first of all, is closed unless it is allowed by name.
 */
import { BlockList, isIP } from "node:net";
import type { Egress, Place } from "./egress.js";

export interface EgressSettings {
  /** Hosts, `*.domains`, addresses and CIDR ranges; empty = everything that isn't closed. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Link-local, where metadata services live, and the two that some clouds keep elsewhere. */
const CLOSED = ["169.254.0.0/16", "fe80::/10", "100.100.100.200", "fd00:ec2::254"];

const MOST_VERDICTS = 1_000;

export function egressFrom({ allow, deny }: EgressSettings): Egress {
  const allowed = new Rules(allow);
  const denied = new Rules(deny);
  const closed = new Rules(CLOSED);
  const verdicts = new Verdicts();
  const refuseAddress = (address: string, name: string): string | null => {
    if (denied.hasAddress(address)) return `${address} is closed by Egress.Deny`;
    if (allowed.hasName(name) || allowed.hasAddress(address)) return null;
    if (closed.hasAddress(address)) return `${address} is link-local or a metadata service: closed unless Egress.Allow names it`;
    return allowed.isEmpty ? null : `${address} is not in Egress.Allow`;
  };
  const refuseHost = (host: string): string | null => {
    if (denied.hasName(host)) return `${host} is closed by Egress.Deny`;
    if (isIP(host) !== 0) return refuseAddress(host, host);
    // A range can only be judged once the name is resolved.
    return allowed.isEmpty || allowed.hasRanges || allowed.hasName(host) ? null : `${host} is not in Egress.Allow`;
  };
  return { refuse: ({ host }: Place) => verdicts.of(host, refuseHost), refuseAddress };
}

/** Rules don't change and every call asks: judging an address anew took 4 % of a loaded server. */
class Verdicts {
  readonly #known = new Map<string, string | null>();

  of(host: string, judge: (host: string) => string | null): string | null {
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const verdict = judge(host);
    if (this.#known.size >= MOST_VERDICTS) this.#known.clear();
    this.#known.set(host, verdict);
    return verdict;
  }
}

class Rules {
  readonly #names = new Set<string>();
  /** With their leading dot. */
  readonly #domains: string[] = [];
  readonly #ranges = new BlockList();
  readonly hasRanges: boolean;

  constructor(entries: readonly string[]) {
    let ranges = 0;
    for (const entry of entries.map((text) => text.toLowerCase())) {
      const [address = "", bits] = entry.split("/");
      const family = familyOf(address);
      if (family !== null) {
        ranges++;
        if (bits === undefined) this.#ranges.addAddress(address, family);
        else this.#ranges.addSubnet(address, Number(bits), family);
      } else if (entry.startsWith("*.")) this.#domains.push(entry.slice(1));
      else this.#names.add(bare(entry));
    }
    this.hasRanges = ranges > 0;
  }

  get isEmpty(): boolean {
    return !this.hasRanges && this.#names.size === 0 && this.#domains.length === 0;
  }

  hasName(host: string): boolean {
    const name = bare(host.toLowerCase());
    return this.#names.has(name) || this.#domains.some((domain) => name.endsWith(domain));
  }

  /** An IPv4 address in IPv6's notation is judged as the IPv4 address that it is. */
  hasAddress(address: string): boolean {
    const family = familyOf(address);
    return family !== null && this.#ranges.check(address, family);
  }
}

/** A trailing dot only says that the name is complete. */
function bare(host: string): string {
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

function familyOf(address: string): "ipv4" | "ipv6" | null {
  const version = isIP(address);
  return version === 0 ? null : version === 4 ? "ipv4" : "ipv6";
}
