/** Where dtm's Redis is: `--from redis://user:password@host:port/db`, more hosts with commas between them for a Cluster. */
import { StartError } from "../service.js";
import type { RedisAddress } from "../stores/redis/address.js";
import { hostsFrom } from "../stores/redis/hosts.js";

export interface SourceAddress extends RedisAddress {
  /** dtm always uses 0; a restored copy may lie elsewhere. */
  readonly database: number;
}

const PORT = 6379;
const FORM = /^(rediss?):\/\/(?:(.*)@)?([^/@?#]+)(?:\/(\d*))?$/i;

/** `password`: when the URL has none, so that it needn't stand in the list of processes. */
export function sourceFrom(text: string, password: string): SourceAddress {
  const [, scheme, login, hosts, database] = FORM.exec(text) ?? [];
  if (scheme === undefined || hosts === undefined)
    throw new StartError("--from is no address of a Redis: expected redis://user:password@host:port (rediss: for TLS)");
  const [user, given] = loginFrom(login ?? "");
  const places = hostsFrom(hosts, PORT);
  if (places.length === 0) throw new StartError("--from names no host: expected redis://user:password@host:port");
  return {
    hosts: places,
    user,
    password: given === "" ? password : given,
    database: Number(database ?? ""),
    sentinelMaster: "",
    sentinelPassword: "",
    tls: { mode: scheme.toLowerCase() === "rediss" ? "verify-full" : "disable", caFile: "", certFile: "", keyFile: "" },
  };
}

function loginFrom(login: string): readonly [user: string, password: string] {
  const colon = login.indexOf(":");
  if (colon < 0) return [decoded(login), ""];
  return [decoded(login.slice(0, colon)), decoded(login.slice(colon + 1))];
}

/** A password with a lone % was meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
