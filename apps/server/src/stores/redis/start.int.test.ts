/** What a Redis of its own refuses at the start, and what it must grant: one line that says what to do, and nothing stays open. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { OwnService } from "../../../test/e2e/database-down/own-service.js";
import { notRun } from "../../../test/kit/with-server.js";
import { newGid, saga } from "../contract/fixtures.js";
import { RedisUnusable } from "./errors.js";
import { GRANTED } from "./refusals.js";
import { openRedis, type RedisOptions } from "./store.js";

jest.setTimeout(60_000);

const TLS = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
const NOBODY = { sentinelMaster: "", sentinelPassword: "", user: "", password: "", tls: TLS, prefix: "dtm" };

let own: OwnService | null = null;
let redis: Redis;
beforeAll(async () => {
  own = await OwnService.start("redis");
  redis = new Redis(own?.ports[0] ?? 0, "127.0.0.1", { lazyConnect: true });
  if (own !== null) await redis.connect();
});
afterAll(async () => {
  redis.disconnect();
  await own?.stop();
});

function options(login: { readonly user: string; readonly password: string }): RedisOptions {
  const hosts = [{ host: "127.0.0.1", port: own?.ports[0] ?? 0 }];
  return { ...NOBODY, ...login, hosts, replicas: { count: 0, withinMs: 1_000 } };
}

const ANYBODY = { user: "", password: "" };

async function refusal(login: { readonly user: string; readonly password: string }): Promise<string> {
  const store = openRedis(options(login));
  const cause: unknown = await store.open().then(
    () => store.close().then(() => "accepted"),
    (why: unknown) => why,
  );
  if (cause === "accepted") return cause;
  expect(cause).toBeInstanceOf(RedisUnusable);
  const { message } = cause as Error;
  expect(message).not.toContain("\n");
  return message.replaceAll(/127\.0\.0\.1:\d+/g, "HERE");
}

function onRedis(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    if (own === null) return notRun(`${name}: there is no redis-server`);
    await body();
  });
}

async function user(name: string, ...rules: readonly string[]): Promise<{ readonly user: string; readonly password: string }> {
  await redis.call("ACL", "SETUSER", name, "reset", "on", ">secret", ...rules);
  return { user: name, password: "secret" };
}

onRedis("what the line says to grant is enough, and each part of it is needed", async () => {
  const rules = GRANTED.split(" ");
  const store = openRedis(options(await user("granted", "~{dtm:*", ...rules)));
  await store.open();
  await store.ping();
  expect(await store.heartbeat("here", 60_000)).toBe(true);
  const given = saga();
  expect(await store.create(given)).toEqual({ kind: "created" });
  expect(await store.find(given.transaction.gid)).not.toBeNull();
  await store.createKey({ cat: "topics", key: newGid(), value: "1", at: 1 });
  await store.list({ limit: 10, position: "" });
  await store.claimDue({ owner: "here:1", limit: 10, now: Date.now() });
  await store.sweep({ endedBefore: Date.now(), limit: 10 });
  await store.retire("here");
  await store.close();
  for (const missing of rules.filter((rule) => !/ping|wait|cluster/.test(rule))) {
    // What Redis knows by its digest needn't be sent whole.
    await redis.script("FLUSH");
    const others = rules.filter((rule) => rule !== missing);
    expect(`${missing}: ${await refusal(await user("short", "~{dtm:*", ...others))}`).toMatch(
      /doesn't let short \(Store\.User, STORE_USER\) do what is needed: .*; grant it: ACL SETUSER short ~\{dtm:\* \+@hash/,
    );
  }
});

test("README.md says what to grant", () => {
  expect(readFileSync(join(__dirname, "README.md"), "utf8")).toContain(GRANTED);
});

onRedis("a login without the right to our keys", async () => {
  expect(await refusal(await user("elsewhere", "~other:*", "+@all"))).toContain("grant it: ACL SETUSER elsewhere ~{dtm:* ");
});

onRedis("a Redis that is full", async () => {
  await redis.config("SET", "maxmemory", "1mb");
  try {
    const line = await refusal(ANYBODY);
    expect(line).toMatch(/^Redis at HERE is full and takes no writes: .*OOM.*maxmemory.*; raise its maxmemory, or free some$/);
  } finally {
    await redis.config("SET", "maxmemory", "0");
  }
  expect(await refusal(ANYBODY)).toBe("accepted");
});

onRedis("what a start opened and could not use is closed", async () => {
  await refusal(await user("elsewhere", "~other:*", "+@all"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(String(await redis.client("LIST"))).not.toContain("name=dtm ");
});

onRedis("fewer replicas than are waited for are told at the start, which goes on", async () => {
  const warned: unknown[] = [];
  const log = { warn: (...told: readonly unknown[]) => void warned.push(told) };
  for (const count of [0, 2]) {
    const store = openRedis({ ...options(ANYBODY), log, replicas: { count, withinMs: 10 } });
    await store.open();
    await store.close();
  }
  const redis = `127.0.0.1:${own?.ports[0]}`;
  expect(warned).toEqual([
    [{ redis, replicas: 0, waitReplicas: 2 }, expect.stringContaining("Store.WaitReplicas (STORE_WAIT_REPLICAS)")],
  ]);
});
