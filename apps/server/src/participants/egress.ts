import type { LookupFunction } from "node:net";
import { Lookups } from "./lookups.js";

/** A place that a client's URL names. `host` is lower case and without brackets; it may be an IP address. */
export interface Place {
  readonly scheme: "http" | "https" | "grpc";
  readonly host: string;
  readonly port: number;
}

/** Judges where branch calls may go (design.md 7). Both methods are on the hot path, so they are synchronous and cheap. */
export interface Egress {
  /** Why this place is closed, or null. Asked before every call and before every hop of a redirect (R21). */
  refuse(place: Place): string | null;
  /**
   * The same for an address that a name resolved to. Only addresses that passed are connected to, so a name can't resolve
   * to one thing for the check and to another for the call.
   */
  refuseAddress(address: string, host: string): string | null;
}

export const openEgress: Egress = { refuse: () => null, refuseAddress: () => null };

export function checkedLookup(egress: Egress): LookupFunction {
  const lookups = new Lookups();
  return (hostname, options, callback) => {
    const found = lookups.of(hostname, options).then((addresses) => {
      const verdicts = addresses.map(({ address }) => egress.refuseAddress(address, hostname));
      const allowed = addresses.filter((_, index) => verdicts[index] === null);
      const [first] = allowed;
      if (first === undefined) callback(new Error(verdicts.find((verdict) => verdict !== null) ?? "no address"), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
    found.catch((cause: unknown) => callback(cause instanceof Error ? cause : new Error(String(cause)), []));
  };
}
