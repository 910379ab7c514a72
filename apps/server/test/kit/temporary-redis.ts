/** Redis stores under prefixes of their own, on the servers that DTM_TEST_REDIS and DTM_TEST_REDIS_CLUSTER name. */
import { randomBytes } from "node:crypto";
import { Cluster, Redis } from "ioredis";
import type { Opened } from "../../src/stores/contract/contract.js";
import type { RedisAddress } from "../../src/stores/redis/address.js";
import { hostsFrom } from "../../src/stores/redis/hosts.js";
import { openRedis, type RedisOptions } from "../../src/stores/redis/store.js";
import type { Store } from "../../src/stores/store.js";
import type { Server } from "./with-server.js";

export interface RedisServer extends Server {
  readonly address: RedisAddress;
}

export const REDIS = named("Redis", "DTM_TEST_REDIS");
export const REDIS_CLUSTER = named("Redis Cluster", "DTM_TEST_REDIS_CLUSTER");

/** `redis://user:password@host:port`, more hosts with commas between them. */
function named(name: string, variable: string): RedisServer {
  const given = process.env[variable] ?? "";
  const [, user = "", password = "", hosts = ""] = /^rediss?:\/\/(?:([^:@]*):?([^@]*)@)?([^/]*)/.exec(given) ?? [];
  const address = {
    hosts: hostsFrom(hosts, 6379),
    sentinelMaster: "",
    sentinelPassword: "",
    user: decodeURIComponent(user),
    password: decodeURIComponent(password),
    tls: { mode: given.startsWith("rediss:") ? "require" : "disable", caFile: "", certFile: "", keyFile: "" },
  } as const;
  return { name, variable, present: given !== "", address };
}

export function redisOptions(server: RedisServer, overrides: Partial<RedisOptions> = {}): RedisOptions {
  const prefix = `test-${randomBytes(6).toString("hex")}`;
  return { ...server.address, prefix, replicas: { count: 0, withinMs: 1_000 }, ...overrides };
}

/** Every master of the server. */
export async function onMasters<T>({ address }: RedisServer, work: (redis: Redis) => Promise<T>): Promise<T[]> {
  const { hosts, user, password } = address;
  const login = { ...(user === "" ? {} : { username: user }), ...(password === "" ? {} : { password }) };
  const first = new Redis({ ...hosts[0], ...login });
  try {
    if (!(await first.info("cluster")).includes("cluster_enabled:1")) return [await work(first)];
  } finally {
    first.disconnect();
  }
  const cluster = new Cluster([...hosts], { redisOptions: login });
  try {
    await cluster.ping();
    const results: T[] = [];
    for (const master of cluster.nodes("master")) results.push(await work(master));
    return results;
  } finally {
    cluster.disconnect();
  }
}

export async function removePrefix(server: RedisServer, prefix: string): Promise<void> {
  await onMasters(server, async (redis) => {
    for await (const keys of redis.scanStream({ match: `{${prefix}:*`, count: 1_000 })) {
      const all: string[] = keys;
      // Of several slots, so one by one.
      const pipeline = redis.pipeline();
      for (const key of all) pipeline.unlink(key);
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    }
  });
}

export async function openTemporaryRedis(server: RedisServer, overrides: Partial<RedisOptions> = {}): Promise<Opened> {
  const options = redisOptions(server, overrides);
  const open = async (): Promise<Store> => {
    const opened = openRedis(options);
    await opened.open();
    return opened;
  };
  let store = await open();
  return {
    store,
    clear: () => removePrefix(server, options.prefix),
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async dispose() {
      await store.close();
      await removePrefix(server, options.prefix);
    },
  };
}
