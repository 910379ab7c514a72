/** What `Store.Host` may look like: anything else would be told by DNS, which names no setting. */
import { isIPv6 } from "node:net";

const LARGEST_PORT = 65_535;

/** What is wrong with the host of an SQL database, and what to write; null for nothing. A path is a socket's. */
export function sqlHostTrouble(host: string): string | null {
  if (host.startsWith("/")) return null;
  const trouble = urlTrouble(host, "as in db.example");
  if (trouble !== null || isIPv6(bare(host))) return trouble;
  if (host.includes(":")) return `is ${host}, which is no host: its port goes to Store.Port (STORE_PORT)`;
  return isName(host) ? null : `is ${JSON.stringify(host)}, which is no host: write one, as in db.example`;
}

/** As `sqlHostTrouble`, for the list of a Redis. */
export function redisHostsTrouble(hosts: string): string | null {
  const trouble = urlTrouble(hosts, "as in redis.example, or host1:6379,host2:6379");
  if (trouble !== null) return trouble;
  for (const part of hosts.split(",").map((each) => each.trim())) {
    if (part === "" || isIPv6(bare(part))) continue;
    const [, host = part, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(part) ?? [];
    if (!isName(host) && !isIPv6(bare(host))) return `names ${JSON.stringify(part)}, which is no host: write host:port`;
    if (port !== undefined && !isPort(port))
      return `names ${JSON.stringify(part)}, which has no port after its colon: write host:port, as in redis.example:6379`;
  }
  return null;
}

/** It may hold a password, so it isn't repeated. */
function urlTrouble(text: string, example: string): string | null {
  if (!/:\/\/|@/.test(text)) return null;
  return `must not be a URL: name the host alone, ${example}; Store.Port, Store.User, Store.Password and Store.TlsMode have the rest`;
}

function isName(host: string): boolean {
  return host !== "" && !/[\s:/?#[\]]/.test(host);
}

/** An IPv6 address as drivers and DNS want it: the brackets belong to URLs. */
export function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= LARGEST_PORT;
}
