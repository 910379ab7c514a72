/** The start on a Redis: is it one that keeps what it is given, and is the data in it ours (R26). */
import type { Redis } from "ioredis";
import { connectionTo, type RedisAddress } from "./address.js";
import { messageOf, RedisUnusable, troubleOf } from "./errors.js";
import type { HostPort } from "./hosts.js";
import { type Keys, SHARDS } from "./keys.js";

const LEAST_MAJOR = 6;
/** Of the layout in README.md. */
const FORMAT = 1;

/** Says whether it is a Cluster. */
export async function checkServer(address: RedisAddress): Promise<{ readonly cluster: boolean }> {
  let last: unknown = null;
  // Any node of a Cluster can be asked, and some may be down.
  for (const place of address.sentinelMaster === "" ? address.hosts : [null]) {
    try {
      return { cluster: await asked(address, place, judge) };
    } catch (cause) {
      if (cause instanceof RedisUnusable) throw cause;
      last = cause;
    }
  }
  throw new RedisUnusable(last === null ? "Store.Host (STORE_HOST) names no Redis" : messageOf(last), { cause: last });
}

/** Each master of a Cluster has a configuration of its own. */
export async function checkMaster(address: RedisAddress, place: HostPort): Promise<void> {
  await asked(address, place, judge);
}

async function asked<T>(
  address: RedisAddress,
  place: HostPort | null,
  work: (redis: Redis, address: RedisAddress, where: string) => Promise<T>,
): Promise<T> {
  const where = place === null ? `the master that Sentinel calls ${address.sentinelMaster}` : `${place.host}:${place.port}`;
  const redis = connectionTo(address, place);
  let noted: unknown = null;
  redis.on("error", (cause: unknown) => {
    noted ??= cause;
  });
  try {
    await redis.connect();
    return await work(redis, address, where);
  } catch (cause) {
    throw explained(cause, noted, where);
  } finally {
    redis.disconnect();
  }
}

async function judge(redis: Redis, { hosts, sentinelMaster }: RedisAddress, where: string): Promise<boolean> {
  const info = infoFrom(await redis.call("INFO"));
  const version = info.get("redis_version") ?? "";
  if (!(Number.parseInt(version, 10) >= LEAST_MAJOR))
    throw new RedisUnusable(`Redis at ${where} is version ${version || "unknown"}: ${LEAST_MAJOR}.0 or newer is needed`);
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy !== "noeviction")
    throw new RedisUnusable(
      `Redis at ${where} has maxmemory-policy ${policy} and would throw unfinished transactions away: set it to noeviction`,
    );
  const cluster = info.get("cluster_enabled") === "1";
  if (!cluster && info.get("role") === "slave")
    throw new RedisUnusable(`Redis at ${where} is a replica and takes no writes: name its master (Store.Host, STORE_HOST)`);
  if (!cluster && sentinelMaster === "" && hosts.length > 1)
    throw new RedisUnusable(
      `Store.Host (STORE_HOST) names ${hosts.length} servers, but ${where} is no Redis Cluster: name one, or set Store.SentinelMaster (STORE_SENTINEL_MASTER)`,
    );
  return cluster;
}

export interface Meta {
  readonly key: string;
  ask(...command: readonly [string, ...string[]]): Promise<unknown>;
}

/** Written once, at the first start; later ones must agree. */
export async function checkLayout({ key, ask }: Meta, keys: Keys): Promise<void> {
  await ask("HSETNX", key, "shards", String(SHARDS));
  await ask("HSETNX", key, "format", String(FORMAT));
  const shards = Number(await ask("HGET", key, "shards"));
  const format = Number(await ask("HGET", key, "format"));
  if (format > FORMAT)
    throw new RedisUnusable(
      `the data under ${keys.prefix} in Redis was written by a newer release (format ${format}, this one knows ${FORMAT}): use that one`,
    );
  if (shards !== SHARDS)
    throw new RedisUnusable(`the data under ${keys.prefix} in Redis lies in ${shards} shards, this release uses ${SHARDS}`);
}

function explained(cause: unknown, noted: unknown, where: string): unknown {
  if (cause instanceof RedisUnusable) return cause;
  const real = noted ?? cause;
  const why = messageOf(real);
  if (/WRONGPASS|NOAUTH|invalid password|invalid username|ERR AUTH|no password is set/i.test(why))
    return new RedisUnusable(
      `Redis at ${where} refused the login: ${why}; check Store.User (STORE_USER) and Store.Password (STORE_PASSWORD)`,
      { cause: real },
    );
  if (/^NOPERM/.test(why))
    return new RedisUnusable(`Redis at ${where} doesn't let Store.User do what is needed: ${why}`, { cause: real });
  if (troubleOf(real) !== "lost") return new RedisUnusable(`Redis at ${where} can't be used now: ${why}`, { cause: real });
  return new NoRedis(
    `no Redis answers at ${where}: ${why}; check Store.Host (STORE_HOST), Store.Port (STORE_PORT) and the TLS settings`,
    { cause: real },
  );
}

/** Another host of the list may answer. */
class NoRedis extends Error {
  override readonly name = "NoRedis";
}

function infoFrom(text: unknown): ReadonlyMap<string, string> {
  const lines = String(text).split(/\r?\n/);
  return new Map(
    lines.flatMap((line) => (line.includes(":") ? [[line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]] : [])),
  );
}
