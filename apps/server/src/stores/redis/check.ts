/** The start on a Redis: is it one that keeps what it is given, and is the data in it ours (R26). */
import type { Redis } from "ioredis";
import { connectionTo, type RedisAddress } from "./address.js";
import { RedisUnusable } from "./errors.js";
import type { HostPort } from "./hosts.js";
import { type Keys, SHARDS } from "./keys.js";
import { explained, NoRedis, nobodyAnswers, type StartAddress } from "./refusals.js";
import { PATIENCE_MS, within } from "./within.js";

const LEAST_MAJOR = 6;
/** Of the layout in README.md. */
const FORMAT = 1;

/** All hosts together; each gets its share of it. */
const START_MS = 9_000;

/** What a server is that will do. */
export interface Judged {
  readonly where: string;
  readonly cluster: boolean;
  /** Connected to it and in step. */
  readonly replicas: number;
}

export async function checkServer(address: StartAddress): Promise<Judged> {
  const silent: NoRedis[] = [];
  // Any node of a Cluster can be asked, and some may be down.
  const places = address.sentinelMaster === "" ? address.hosts : [null];
  for (const place of places) {
    try {
      return await asked(address, place, Math.min(PATIENCE_MS, START_MS / places.length));
    } catch (cause) {
      if (!(cause instanceof NoRedis)) throw cause;
      silent.push(cause);
    }
  }
  if (silent.length === 0) throw new RedisUnusable("Store.Host (STORE_HOST) names no Redis");
  throw nobodyAnswers(silent);
}

/** Each master of a Cluster has a configuration of its own. */
export async function checkMaster(address: StartAddress, place: HostPort): Promise<Judged> {
  try {
    return await asked(address, place, PATIENCE_MS);
  } catch (cause) {
    throw cause instanceof NoRedis ? nobodyAnswers([cause]) : cause;
  }
}

async function asked(address: StartAddress, place: HostPort | null, withinMs: number): Promise<Judged> {
  const where = place === null ? `the master that Sentinel calls ${address.sentinelMaster}` : `${place.host}:${place.port}`;
  const redis = connectionTo(address, place);
  let noted: unknown = null;
  redis.on("error", (cause: unknown) => {
    noted ??= cause;
  });
  try {
    return await within(withinMs, judge(redis, address, where));
  } catch (cause) {
    throw explained(cause, noted, { where, address });
  } finally {
    redis.disconnect();
  }
}

async function judge(redis: Redis, { hosts, sentinelMaster }: RedisAddress, where: string): Promise<Judged> {
  await redis.connect();
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
  return { where, cluster, replicas: replicasIn(info) };
}

function replicasIn(info: ReadonlyMap<string, string>): number {
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes("state=online")).length;
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

function infoFrom(text: unknown): ReadonlyMap<string, string> {
  const lines = String(text).split(/\r?\n/);
  return new Map(
    lines.flatMap((line) => (line.includes(":") ? [[line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]] : [])),
  );
}
