/** What breaks between us and Redis: nothing acknowledged is lost, nothing is done twice, and each operation is told what became of it (R7). */

import { type TcpProxy, tcpProxy } from "../../../test/kit/tcp-proxy.js";
import {
  onMasters,
  openTemporaryRedis,
  REDIS,
  REDIS_CLUSTER,
  type RedisServer,
  redisOptions,
} from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import type { Opened } from "../contract/contract.js";
import { branch, NOW, newGid, saga, stored, storedTransaction, tcc } from "../contract/fixtures.js";
import { type Store, StoreUnavailable } from "../store.js";
import { Dispatcher } from "./dispatch.js";
import { shardOf } from "./keys.js";
import { pause } from "./link.js";

const SLOW_MS = 120_000;
jest.setTimeout(SLOW_MS);

/** One transaction through its life, each answer checked: an operation done twice would be refused, or counted twice. */
async function life(store: Store, gid: string): Promise<void> {
  const owner = "here:1";
  const given = tcc({ gid, nextCronTime: NOW + 3_600_000 });
  expect(await store.create(given)).toEqual({ kind: "created" });
  expect(await store.registerBranches(gid, [branch(gid, "01", "confirm"), branch(gid, "01", "cancel")])).toBe("registered");
  expect(await store.nudge(gid, NOW)).toBe(true);
  const submitted = { ...given, transaction: { ...given.transaction, status: "submitted" as const, owner } };
  expect(await store.submit(submitted)).toMatchObject({ kind: "moved", leased: true });
  const settled = [{ branchId: "01", op: "confirm", status: "succeed", at: NOW }] as const;
  expect(await store.recordBranches(gid, { owner, status: "submitted" }, settled, NOW)).toEqual({ kind: "done" });
  expect(await store.nudge(gid, NOW)).toBe(true);
  const rest = { nextCronTime: NOW, nextCronInterval: 10, attempts: 1, refusals: 0, waitingOn: "", at: NOW, results: [] };
  expect(await store.rest(gid, { owner, status: "submitted", wake: 2, ...rest })).toEqual({ kind: "done" });
  const stop = { from: ["submitted"], to: "failed", at: NOW, owner: "", rollbackReason: "stopped" } as const;
  expect(await store.change(gid, stop)).toMatchObject({ kind: "changed" });
}

async function expectLived(store: Store, gids: readonly string[]): Promise<void> {
  for (const gid of gids) {
    expect(await storedTransaction(store, gid)).toMatchObject({ status: "failed", wake: 2, attempts: 1, owner: "" });
    expect((await store.find(gid))?.branches).toHaveLength(2);
  }
  const listed: string[] = [];
  let position = "";
  do {
    const page = await store.list({ limit: 100, position });
    listed.push(...page.transactions.map(({ gid }) => gid));
    position = page.nextPosition;
  } while (position !== "");
  expect(listed.sort()).toEqual([...gids].sort());
  const stuckAttempts = { saga: 1, tcc: 1, xa: 1, msg: 1, workflow: 1 };
  expect(await store.summary({ stuckAttempts, stuckRefusals: 1, overdueBefore: NOW })).toEqual({
    unfinished: 0,
    oldest: null,
    stuck: 0,
  });
}

/** In the same shard. */
function gidBeside(gid: string): string {
  for (;;) {
    const other = newGid();
    if (shardOf(other) === shardOf(gid)) return other;
  }
}

function isDone(ask: () => Promise<unknown>): Promise<boolean> {
  return ask().then(
    () => true,
    () => false,
  );
}

function faults(server: RedisServer): void {
  describe(`${server.name}: connections are killed under load`, () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await openTemporaryRedis(server);
    }, SLOW_MS);
    afterAll(() => opened.dispose(), SLOW_MS);

    test("nothing is lost and nothing is done twice", async () => {
      const { store } = opened;
      await store.heartbeat("here", 600_000);
      const gids = Array.from({ length: 150 }, () => newGid());
      let running = true;
      let killed = 0;
      const lives = Promise.all(gids.map((gid) => life(store, gid))).finally(() => {
        running = false;
      });
      const killing = (async () => {
        while (running) {
          const counts = await onMasters(server, async (redis) =>
            Number(await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")),
          );
          killed += counts.reduce((a, b) => a + b, 0);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      await Promise.all([lives, killing]);
      expect(killed).toBeGreaterThan(1);
      await expectLived(store, gids);
    });
  });
}

withServer(REDIS, () => {
  faults(REDIS);

  describe("Redis: replies are lost", () => {
    let proxy: TcpProxy;
    let opened: Opened;
    beforeEach(async () => {
      const [target] = REDIS.address.hosts;
      if (target === undefined) throw new Error("DTM_TEST_REDIS names no host");
      proxy = await tcpProxy(target);
      const hosts = [{ host: "127.0.0.1", port: proxy.port }];
      opened = await openTemporaryRedis(REDIS, { hosts });
      await opened.store.heartbeat("here", 600_000);
    }, SLOW_MS);
    afterEach(async () => {
      await opened.dispose();
      await proxy.close();
    }, SLOW_MS);

    test("each operation is told what it did, once", async () => {
      const { store } = opened;
      const gids: string[] = [];
      // As many rounds as a fast machine needs to be hit often enough.
      for (let round = 0; round < 50 && proxy.lost <= 3; round++) {
        const fresh = Array.from({ length: 20 }, () => newGid());
        gids.push(...fresh);
        let running = true;
        const lives = Promise.all(fresh.map((gid) => life(store, gid))).finally(() => {
          running = false;
        });
        const losing = (async () => {
          while (running) {
            proxy.loseNextAnswers(proxy.lost % 2);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        })();
        await Promise.all([lives, losing]);
      }
      expect(proxy.lost).toBeGreaterThan(3);
      await expectLived(store, gids);
    });

    test("a create whose reply was lost was created, not found", async () => {
      const given = saga();
      await opened.store.ping();
      const before = proxy.lost;
      // The connection for writes is open by now.
      await opened.store.create(saga());
      // Its number is there already, or asked for first.
      proxy.loseNextAnswers();
      expect(await opened.store.create(given)).toEqual({ kind: "created" });
      expect(proxy.lost).toBeGreaterThan(before);
      expect(await opened.store.create(given)).toMatchObject({ kind: "exists" });
    });

    test("a claim whose reply was lost is answered with what it took", async () => {
      const { store } = opened;
      const gids: string[] = [];
      for (let made = 0; made < 10; made++) {
        const given = saga({ nextCronTime: NOW - 1_000_000 });
        gids.push(given.transaction.gid);
        await store.create(given);
      }
      proxy.loseNextAnswers();
      const { claimed } = await store.claimDue({ owner: "here:77", limit: 10, now: NOW - 1_000_000 });
      expect(claimed.map(({ transaction }) => transaction.gid)).toEqual(gids);
      expect(await store.ownedBy("here:77")).toHaveLength(10);
    });

    test("a server that is frozen holds nothing up beyond the patience, and all recovers when it goes on", async () => {
      const { store } = opened;
      const asked = [
        () => store.create(saga()),
        () => store.find(newGid()),
        () => store.ping(),
        () => store.heartbeat("here", 600_000),
      ];
      await Promise.all(asked.map((ask) => ask()));
      const thaw = proxy.freeze();
      const waits: number[] = [];
      const timed = async (ask: () => Promise<unknown>): Promise<void> => {
        const began = performance.now();
        await expect(ask()).rejects.toBeInstanceOf(StoreUnavailable);
        waits.push(performance.now() - began);
      };
      const later = (ask: () => Promise<unknown>, millis: number): Promise<void> => pause(millis).then(() => timed(ask));
      await Promise.all([0, 2_000, 6_000, 12_000].flatMap((millis) => asked.map((ask) => later(ask, millis))));
      // The patience, and a slow machine's share.
      expect(Math.max(...waits)).toBeLessThan(6_500);
      thaw();
      const deadline = performance.now() + 6_000;
      for (const ask of asked) while (!(await isDone(ask))) expect(performance.now()).toBeLessThan(deadline);
    });

    test("a key is created and raised once", async () => {
      const { store } = opened;
      const entry = { cat: "topics", key: newGid(), value: "1", at: NOW };
      await store.createKey({ ...entry, key: newGid() });
      proxy.loseNextAnswers();
      expect(await store.createKey(entry)).toBe("created");
      proxy.loseNextAnswers();
      expect(await store.updateKey({ ...entry, value: "2", version: 1 })).toBe(true);
      proxy.loseNextAnswers();
      expect(await store.deleteKey(entry.cat, entry.key)).toBe(true);
    });
  });

  test("scripts that Redis forgot are sent whole", async () => {
    const opened = await openTemporaryRedis(REDIS);
    const given = saga();
    await opened.store.create(saga());
    await onMasters(REDIS, (redis) => redis.script("FLUSH"));
    expect(await opened.store.create(given)).toEqual({ kind: "created" });
    expect(await stored(opened.store, given.transaction.gid)).not.toBeNull();
    await opened.dispose();
  });

  test("fewer replicas than asked for: the outcome is unknown, and said so", async () => {
    const { openRedis } = await import("./store.js");
    const options = redisOptions(REDIS, { replicas: { count: 9, withinMs: 10 } });
    const store = openRedis(options);
    await store.open();
    const given = saga();
    await expect(store.create(given)).rejects.toThrow("fewer than 9 replicas have it (Store.WaitReplicas)");
    await store.close();
  });
});

withServer(REDIS_CLUSTER, () => {
  faults(REDIS_CLUSTER);

  test("Redis Cluster: each master's replicas are counted at the start", async () => {
    const told = jest.fn();
    for (const count of [1, 9]) {
      const opened = await openTemporaryRedis(REDIS_CLUSTER, { replicas: { count, withinMs: 10 }, log: { warn: told } });
      await opened.dispose();
    }
    expect(told.mock.calls.map(([fields]: unknown[]) => fields)).toEqual(
      [1, 2, 3].map(() => ({ redis: expect.any(String), replicas: 1, waitReplicas: 9 })),
    );
  });

  test("Redis Cluster: when the node that counts is away, only new transactions fail, and nothing else waits for them", async () => {
    const { store, dispose } = await openTemporaryRedis(REDIS_CLUSTER);
    const there = Array.from({ length: 40 }, () => tcc());
    for (const given of there) await store.create(given);
    await pause(100);
    const { settle } = Dispatcher.prototype;
    const away = jest.spyOn(Dispatcher.prototype, "settle").mockImplementation(async function (this: Dispatcher, calls) {
      if (!calls.some(({ tag }) => this.nodeOf(tag) === this.nodeOf("meta"))) return settle.call(this, calls);
      await pause(1_000);
      return calls.map(() => new StoreUnavailable("the node is away"));
    });
    const told: string[] = [];
    const asked = there.flatMap(({ transaction: { gid } }) => [
      store.create(tcc({ gid: gidBeside(gid) })).catch(() => told.push("not created")),
      store.registerBranches(gid, [branch(gid, "01", "confirm")]).then(
        (word) => told.push(word),
        () => told.push("not registered"),
      ),
    ]);
    await Promise.all(asked);
    away.mockRestore();
    const registered = told.filter((word) => word === "registered").length;
    expect(registered).toBeGreaterThan(0);
    expect(told.slice(0, registered).every((word) => word === "registered")).toBe(true);
    expect(told.filter((word) => word === "not created")).toHaveLength(40);
    await dispose();
  });

  test("Redis Cluster: what is asked of a new transaction goes behind it (R7)", async () => {
    const { store, dispose } = await openTemporaryRedis(REDIS_CLUSTER);
    const asked = Array.from({ length: 40 }, () => {
      const given = tcc();
      const { gid } = given.transaction;
      const register = () => store.registerBranches(gid, [branch(gid, "01", "confirm")]);
      return [store.create(given), register(), store.nudge(gid, NOW)];
    });
    const answers = await Promise.all(asked.map((each) => Promise.all(each)));
    for (const answer of answers) expect(answer).toEqual([{ kind: "created" }, "registered", true]);
    await dispose();
  });

  test("Redis Cluster: an answer that changed nothing is written too where answers wait for replicas", async () => {
    const options = redisOptions(REDIS_CLUSTER, { replicas: { count: 1, withinMs: 4_000 } });
    const opened = await openTemporaryRedis(REDIS_CLUSTER, options);
    const given = saga();
    await opened.store.create(given);
    expect(await opened.store.create(given)).toMatchObject({ kind: "exists" });
    const { gid } = given.transaction;
    expect(await opened.store.registerBranches(gid, [branch(gid, "01", "confirm")])).toBe("not-prepared");
    const words = await onMasters(REDIS_CLUSTER, async (redis) => {
      const journals = await redis.keys(`{${options.prefix}:*:j:*`);
      return Promise.all(journals.map((key) => redis.hvals(key)));
    });
    expect(words.flat(2).map((entry) => entry.replace(/^\d+ /, ""))).toContain("not-prepared");
    await opened.dispose();
  });

  test("Redis Cluster: a refusal whose reply was lost is answered once more, with the row (R7)", async () => {
    const { store, dispose } = await openTemporaryRedis(REDIS_CLUSTER, { replicas: { count: 1, withinMs: 4_000 } });
    const given = saga();
    const { gid } = given.transaction;
    await store.create(given);
    const { settle } = Dispatcher.prototype;
    const lost = jest.spyOn(Dispatcher.prototype, "settle").mockImplementation(async function (this: Dispatcher, calls) {
      await settle.call(this, calls);
      return settle.call(this, calls);
    });
    const current = expect.objectContaining({ transaction: expect.objectContaining({ gid }) });
    const fence = { owner: "nobody:1", status: "submitted", at: NOW, results: [] } as const;
    const rest = { nextCronTime: NOW, nextCronInterval: 10, attempts: 1, refusals: 0, waitingOn: "" };
    const refused = { kind: "refused", current };
    expect(await store.create(given)).toEqual({ kind: "exists", current });
    expect(await store.submit(given)).toEqual({ kind: "exists", current });
    expect(await store.move(gid, { ...fence, to: "succeed" })).toEqual(refused);
    expect(await store.recordBranches(gid, fence, [], NOW)).toEqual(refused);
    expect(await store.rest(gid, { ...fence, ...rest, wake: 0 })).toEqual(refused);
    expect(await store.change(gid, { from: ["prepared"], to: "aborting", at: NOW, owner: "" })).toEqual(refused);
    lost.mockRestore();
    await dispose();
  });

  test("Redis Cluster: a replica has what was answered", async () => {
    const opened = await openTemporaryRedis(REDIS_CLUSTER, { replicas: { count: 1, withinMs: 4_000 } });
    const given = saga();
    expect(await opened.store.create(given)).toEqual({ kind: "created" });
    await opened.dispose();
  });
});
