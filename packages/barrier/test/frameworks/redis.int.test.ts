import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Branch, Failure } from "@dtm/protocol";
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier, type RedisLike } from "../../src/redis.js";
import { withServer } from "../kit/with-server.js";

const URL_GIVEN = process.env["DTM_TEST_REDIS"] ?? "";
const CLUSTER_GIVEN = process.env["DTM_TEST_REDIS_CLUSTER"] ?? "";
const code = (expected: string) => expect.objectContaining({ code: expected });

interface Connected<C> {
  readonly client: C;
  close(): unknown;
}

const DRIVERS = {
  ioredis: {
    async connect(url: string): Promise<Connected<RedisLike>> {
      const client = new Redis(url);
      return { client, close: () => client.disconnect() };
    },
    async connectCluster(hosts: readonly Host[]): Promise<Connected<RedisLike>> {
      const client = new Cluster([...hosts]);
      return { client, close: () => client.disconnect() };
    },
  },
  "node-redis": {
    async connect(url: string): Promise<Connected<RedisLike>> {
      const client = createClient({ url });
      await client.connect();
      return { client, close: () => client.destroy() };
    },
    async connectCluster(hosts: readonly Host[]): Promise<Connected<RedisLike>> {
      const client = createCluster({ rootNodes: hosts.map((socket) => ({ socket })) });
      await client.connect();
      return { client, close: () => client.destroy() };
    },
  },
} as const;

interface Host {
  readonly host: string;
  readonly port: number;
}

const NAMES = ["ioredis", "node-redis"] as const;

describe("the barrier of Redis, given what is none", () => {
  let sent = 0;
  const client: RedisLike = {
    defineCommand: () => undefined,
    // As where there is no balance.
    async eval() {
      sent++;
      return ["FAILURE"];
    },
  };
  const given = (...parts: unknown[]): Promise<unknown> => Reflect.apply(barrier.adjustAmount, barrier, [client, ...parts]);
  const branch: Branch = { gid: "g", transType: "saga", branchId: "01", op: "action" };

  test.each([undefined, null, "", 5, {}])("%p as the key is no refusal for good", async (key) => {
    await expect(given(key, 10, { branch })).rejects.toEqual(code("OPTION_INVALID"));
    expect(sent).toBe(0);
  });

  test.each([undefined, null, Number.NaN, Number.POSITIVE_INFINITY, 1.5, "10", 10n, 2 ** 53])(
    "%p as the amount is no refusal for good",
    async (amount) => {
      await expect(given("key", amount, { branch })).rejects.toEqual(code("OPTION_INVALID"));
      expect(sent).toBe(0);
    },
  );

  test.each([null, 1, "x"])("%p as the options is refused", async (options) => {
    await expect(given("key", 10, options)).rejects.toEqual(code("OPTION_INVALID"));
    await expect(Reflect.apply(barrier.queryPrepared, barrier, [client, options])).rejects.toEqual(code("OPTION_INVALID"));
    expect(sent).toBe(0);
  });
});

withServer({ name: "Redis", variable: "DTM_TEST_REDIS" }, () => {
  describe.each(NAMES)("the barrier of Redis through %s", (driver) => {
    let redis: Redis;
    let client: RedisLike;
    let close: () => unknown;
    let gid: string;
    let key: string;

    beforeAll(async () => {
      redis = new Redis(URL_GIVEN);
      ({ client, close } = await DRIVERS[driver].connect(URL_GIVEN));
    });
    afterAll(async () => {
      redis.disconnect();
      await close();
    });
    beforeEach(async () => {
      gid = `redis-${randomBytes(8).toString("hex")}`;
      key = `account-${gid}`;
      await redis.set(key, 100, "EX", 600);
    });
    afterEach(async () => {
      for await (const keys of redis.scanStream({ match: `*${gid}*`, count: 1_000 }))
        if (keys.length > 0) await redis.unlink(keys);
    });

    const balance = async () => Number(await redis.get(key));
    const branch = (op: string): Branch => ({ gid, branchId: "01", op, transType: "saga" });
    const adjust = (op: string, amount: number, more: { id?: number; expireSeconds?: number } = {}) =>
      barrier.adjustAmount(client, key, amount, { branch: branch(op), ...more });
    const skipped = { ran: false, verdict: "skip" };

    test("runs once, and the keys are those of other languages", async () => {
      expect(await adjust("action", -30, { expireSeconds: 100 })).toEqual({ ran: true, value: 70 });
      expect(await adjust("action", -30)).toEqual(skipped);
      expect(await balance()).toBe(70);
      expect(await redis.get(`${gid}-01-action-01`)).toMatch(/^op \S{12} 70$/);
      expect(await redis.ttl(`${gid}-01-action-01`)).toBeLessThanOrEqual(100);
      expect(await adjust("action", -5, { id: 2 })).toEqual({ ran: true, value: 65 });
      expect(await redis.exists(`${gid}-01-action-02`)).toBe(1);
    });

    test("a repeated debit succeeds though the first one has emptied the account", async () => {
      await adjust("action", -100);
      expect(await adjust("action", -100)).toEqual(skipped);
      expect(await balance()).toBe(0);
    });

    test("a compensation undoes what ran, once", async () => {
      await adjust("action", -30);
      expect(await adjust("compensate", 30)).toEqual({ ran: true, value: 100 });
      expect(await adjust("compensate", 30)).toEqual(skipped);
      expect(await balance()).toBe(100);
    });

    test.each([
      ["compensate", "action"],
      ["cancel", "try"],
      ["rollback", "action"],
    ])("%s without its %s does nothing, also where there is no balance, and the late one is skipped", async (undo, origin) => {
      await redis.del(key);
      expect(await adjust(undo, 30)).toEqual(skipped);
      await redis.set(key, 100, "EX", 600);
      expect(await adjust(undo, 30)).toEqual(skipped);
      expect(await adjust(origin, -30)).toEqual(skipped);
      expect(await balance()).toBe(100);
      expect(await redis.get(`${gid}-01-${origin}-01`)).toBe("rollback");
      expect(await redis.ttl(`${gid}-01-${undo}-01`)).toBeGreaterThan(0);
    });

    test("too little, or no account, is a Failure that leaves nothing, so that a repeat decides anew", async () => {
      await expect(adjust("action", -101)).rejects.toBeInstanceOf(Failure);
      expect(await redis.keys(`${gid}-*`)).toEqual([]);
      await redis.incrby(key, 1);
      expect(await adjust("action", -101)).toEqual({ ran: true, value: 0 });
      await redis.del(key);
      gid = `${gid}b`;
      await expect(adjust("action", 5)).rejects.toBeInstanceOf(Failure);
    });

    test("an error in the middle leaves nothing that would pass for done", async () => {
      for (const value of ["1.5", "text", String(2n ** 63n - 1n)]) {
        await redis.set(key, value, "EX", 600);
        await expect(adjust("action", 5)).rejects.toThrow();
        expect(await redis.keys(`${gid}-*`)).toEqual([]);
        expect(await redis.get(key)).toBe(value);
      }
    });

    test("64 deliveries at once have one effect", async () => {
      const results = await Promise.all(Array.from({ length: 64 }, () => adjust("action", -1)));
      expect(results.filter(({ ran }) => ran)).toHaveLength(1);
      expect(await balance()).toBe(99);
    });

    test("a second use in one call needs an id of its own; a repeated message is a DUPLICATED", async () => {
      const call = new BranchCall({ gid, branchId: "01", op: "action", transType: "saga" });
      await runInBranch(call, async () => {
        await barrier.adjustAmount(client, key, -1);
        await expect(barrier.adjustAmount(client, key, -1)).rejects.toEqual(code("BARRIER_ID_REUSED"));
        await barrier.adjustAmount(client, key, -1, { id: 2 });
      });
      expect(await balance()).toBe(98);
      const message = (): Branch => ({ gid, branchId: "00", op: "msg", transType: "msg" });
      await barrier.adjustAmount(client, key, -1, { branch: message() });
      await expect(barrier.adjustAmount(client, key, -1, { branch: message() })).rejects.toEqual(code("DUPLICATED"));
      expect(await balance()).toBe(97);
    });

    test("queryPrepared: committed before it, or never after it", async () => {
      const message: Branch = { gid, branchId: "00", op: "msg", transType: "msg" };
      await barrier.adjustAmount(client, key, -1, { branch: message });
      await barrier.queryPrepared(client, { branch: message });
      const other: Branch = { ...message, gid: `${gid}b` };
      await expect(barrier.queryPrepared(client, { branch: other })).rejects.toBeInstanceOf(Failure);
      await expect(barrier.queryPrepared(client, { branch: other })).rejects.toBeInstanceOf(Failure);
      await expect(barrier.adjustAmount(client, key, -1, { branch: other })).rejects.toEqual(code("DUPLICATED"));
      expect(await balance()).toBe(99);
    });

    test("bad input changes nothing", async () => {
      for (const amount of [1.5, Number.NaN, 2 ** 60])
        await expect(adjust("action", amount)).rejects.toEqual(code("OPTION_INVALID"));
      await expect(adjust("action", 1, { expireSeconds: 0 })).rejects.toEqual(code("OPTION_INVALID"));
      await expect(barrier.adjustAmount(client, key, 1)).rejects.toEqual(code("NOT_IN_BRANCH"));
      for (const other of [{}, null, { query: () => undefined }]) {
        const attempt = Reflect.apply(barrier.adjustAmount, barrier, [other, key, 1, { branch: branch("action") }]);
        await expect(attempt).rejects.toEqual(code("WRONG_DRIVER"));
      }
      expect(await balance()).toBe(100);
    });
  });
});

withServer({ name: "Redis", variable: "DTM_TEST_REDIS" }, () => {
  describe("a reply that is lost, after which ioredis sends the command again by itself", () => {
    let redis: Redis;
    let client: Redis;
    let proxy: LosingProxy;
    let gid: string;
    let key: string;

    beforeAll(async () => {
      redis = new Redis(URL_GIVEN);
      proxy = await losingProxy(new URL(URL_GIVEN));
      client = new Redis(proxy.url);
      await client.ping();
    });
    afterAll(async () => {
      client.disconnect();
      redis.disconnect();
      await proxy.close();
    });
    beforeEach(async () => {
      gid = `resent-${randomBytes(8).toString("hex")}`;
      key = `account-${gid}`;
      await redis.set(key, 100, "EX", 600);
    });
    afterEach(async () => {
      for await (const keys of redis.scanStream({ match: `*${gid}*`, count: 1_000 }))
        if (keys.length > 0) await redis.unlink(keys);
    });

    const adjustLosing = async (branch: Branch, amount: number) => {
      const lost = proxy.loseNext();
      const result = await barrier.adjustAmount(client, key, amount, { branch });
      await lost;
      return result;
    };
    const saga = (op: string): Branch => ({ gid, branchId: "01", op, transType: "saga" });
    const skipped = { ran: false, verdict: "skip" };

    test.each([
      ["an action", -30, 70],
      ["a message", -30, 70],
      ["an action", 2 ** 52, 2 ** 52 + 100],
    ])("%s that adds %p tells what it did, and the next delivery is a repeated one", async (of, amount, after) => {
      const branch = (): Branch => (of === "a message" ? { gid, branchId: "00", op: "msg", transType: "msg" } : saga("action"));
      expect(await adjustLosing(branch(), amount)).toEqual({ ran: true, value: after });
      const again = barrier.adjustAmount(client, key, amount, { branch: branch() });
      if (of === "a message") {
        await expect(again).rejects.toEqual(code("DUPLICATED"));
        await barrier.queryPrepared(client, { branch: branch() });
      } else {
        expect(await again).toEqual(skipped);
      }
      expect(await redis.get(key)).toBe(String(after));
    });

    test("an undo tells what it did", async () => {
      await barrier.adjustAmount(client, key, -30, { branch: saga("action") });
      expect(await adjustLosing(saga("compensate"), 30)).toEqual({ ran: true, value: 100 });
    });

    test("an empty undo has not run, nor has the work that comes after it", async () => {
      expect(await adjustLosing(saga("compensate"), 30)).toEqual(skipped);
      expect(await adjustLosing(saga("action"), -30)).toEqual(skipped);
      expect(await redis.get(`${gid}-01-action-01`)).toBe("rollback");
      expect(await redis.get(key)).toBe("100");
    });

    test("a message that was asked about before has not run", async () => {
      const message: Branch = { gid, branchId: "00", op: "msg", transType: "msg" };
      await expect(barrier.queryPrepared(client, { branch: message })).rejects.toBeInstanceOf(Failure);
      await expect(adjustLosing({ ...message }, -30)).rejects.toEqual(code("DUPLICATED"));
      expect(await redis.get(`${gid}-00-msg-01`)).toBe("rollback");
      expect(await redis.get(key)).toBe("100");
    });
  });
});

withServer({ name: "Redis Cluster", variable: "DTM_TEST_REDIS_CLUSTER" }, () => {
  test.each(NAMES)("%s in a Cluster: one hash tag keeps the keys together, and without one it is refused", async (driver) => {
    const hosts = CLUSTER_GIVEN.replace(/^rediss?:\/\/(?:[^@]*@)?/, "")
      .split(",")
      .map((host) => ({ host: host.split(":")[0] ?? "", port: Number(host.split(":")[1]) }));
    const cluster = new Cluster(hosts);
    const { client, close } = await DRIVERS[driver].connectCluster(hosts);
    const tag = randomBytes(6).toString("hex");
    try {
      const branch: Branch = { gid: `g-{${tag}}`, branchId: "01", op: "compensate", transType: "saga" };
      const key = `account:{${tag}}`;
      await cluster.set(key, 100, "EX", 600);
      await barrier.adjustAmount(client, key, -30, { branch: { ...branch, op: "action" } });
      expect(await barrier.adjustAmount(client, key, 30, { branch })).toEqual({ ran: true, value: 100 });
      const loose: Branch = { ...branch, gid: `g-${tag}`, op: "action" };
      await expect(barrier.adjustAmount(client, key, -30, { branch: loose })).rejects.toEqual(code("KEYS_IN_OTHER_SLOTS"));
      expect(await cluster.get(key)).toBe("100");
    } finally {
      cluster.disconnect();
      await close();
    }
  });
});

interface LosingProxy {
  readonly url: string;
  /** Breaks the connection in place of the next answer, when the server has done what was asked; resolves then. */
  loseNext(): Promise<void>;
  close(): Promise<unknown>;
}

async function losingProxy(target: URL): Promise<LosingProxy> {
  let lose: (() => void) | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => [other.destroy(), sockets.delete(socket)]);
    }
    client.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes) => {
      if (lose === null) return client.write(bytes);
      lose();
      lose = null;
      return client.destroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: Object.assign(new URL(target), { host: `127.0.0.1:${port}` }).href,
    loseNext: () =>
      new Promise((resolve) => {
        lose = resolve;
      }),
    close() {
      for (const socket of sockets) socket.destroy();
      return once(server.close(), "close");
    },
  };
}
