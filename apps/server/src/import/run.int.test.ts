/** `dtm import` on a real Redis that holds what dtm writes, laid by hand (R28). The same beside the real dtm: test/e2e/takeover.test.ts. */
import { BORN, DtmRedisWriter, dtmGlobal, goTime } from "../../test/kit/dtm-redis.js";
import { openTemporaryRedis, REDIS, REDIS_CLUSTER, type RedisServer } from "../../test/kit/temporary-redis.js";
import { withServer } from "../../test/kit/with-server.js";
import { openMemory } from "../stores/memory/store.js";
import { type Store, StoreRejected, StoreUnavailable } from "../stores/store.js";
import { runImport, type Tally } from "./run.js";
import { DtmRedis } from "./source.js";

const NONE: Tally = {
  unfinished: 0,
  finished: 0,
  known: 0,
  leftOut: 0,
  expired: 0,
  troubles: 0,
  topics: { imported: 0, known: 0 },
};
const DUE = Math.ceil(BORN / 1000) + 640;

/** The store with another `create`. */
function creating(store: Store, create: Store["create"]): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "create") return create;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

interface Options {
  readonly store?: Store | null;
  readonly finished?: boolean;
  readonly pause?: () => Promise<void>;
}

describe.each<RedisServer>([REDIS])("$name", (server) => {
  withServer(server, () => {
    let dtm: DtmRedisWriter;
    let store: Store;
    let lines: string[];
    beforeEach(() => {
      dtm = new DtmRedisWriter(server);
      store = openMemory({ now: () => Date.now() });
      lines = [];
    });
    afterEach(() => dtm.dispose());

    async function run(options: Options = {}): Promise<Tally> {
      const source = await DtmRedis.connect(dtm.address, dtm.prefix);
      const target = options.store === undefined ? store : options.store;
      try {
        return await runImport({
          source,
          openStore: target === null ? null : async () => target,
          finished: options.finished ?? false,
          now: () => Date.now(),
          pause: options.pause ?? (async () => undefined),
          progress: () => undefined,
          trouble: (line) => lines.push(line),
        });
      } finally {
        source.close();
      }
    }

    /** One of each kind. */
    async function layAll(): Promise<void> {
      await dtm.saga("saga", { dueSeconds: DUE, next_cron_interval: 640 });
      await dtm.saga("undoing", { status: "aborting", rollback_reason: "no" });
      await dtm.saga("ended", { status: "succeed", done: 2, finish_time: goTime(BORN + 2_000) });
      const tcc = (op: string) => ({
        url: `http://a/${op}`,
        branch_id: "01",
        op,
        status: "prepared",
        data: "{}",
        create_time: null,
      });
      await dtm.lay("tcc", {
        global: dtmGlobal({ gid: "tcc", trans_type: "tcc", status: "prepared" }),
        status: "prepared",
        branches: [tcc("cancel"), tcc("confirm")],
        dueSeconds: DUE,
      });
      await dtm.lay("xa without branches yet", {
        global: dtmGlobal({ gid: "xa without branches yet", trans_type: "xa", status: "prepared" }),
        status: "prepared",
        dueSeconds: DUE,
      });
      await dtm.topic("orders", ["http://a/order", "http://b/order"]);
    }

    test("unfinished ones with their branches, due as dtm had them; topics; and nothing changes at the source", async () => {
      await layAll();
      const before = await dtm.dump();
      expect(await run()).toEqual({ ...NONE, unfinished: 4, leftOut: 1, topics: { imported: 1, known: 0 } });
      expect(lines).toEqual([]);
      const saga = await store.find("saga");
      expect(saga?.transaction).toMatchObject({
        status: "submitted",
        nextCronTime: DUE * 1000,
        nextCronInterval: 640,
        owner: "",
      });
      expect(saga?.branches.map(({ branchId, op, status }) => `${branchId} ${op} ${status}`)).toEqual([
        "01 compensate prepared",
        "01 action succeed",
        "02 compensate prepared",
        "02 action prepared",
      ]);
      expect((await store.find("undoing"))?.transaction).toMatchObject({ status: "aborting", rollbackReason: "no" });
      expect((await store.find("tcc"))?.branches.map(({ op }) => op)).toEqual(["cancel", "confirm"]);
      expect((await store.find("xa without branches yet"))?.branches).toEqual([]);
      expect(await store.find("ended")).toBeNull();
      expect(await store.findKeys({ cat: "topics", key: "orders" })).toMatchObject([
        { value: '[{"url":"http://a/order","remark":""},{"url":"http://b/order","remark":""}]', createTime: BORN },
      ]);
      expect(await dtm.dump()).toEqual(before);
    });

    test("again: what is there is passed over, what was left out can still come", async () => {
      await layAll();
      await run();
      expect(await run()).toEqual({ ...NONE, known: 4, leftOut: 1, topics: { imported: 0, known: 1 } });
      expect(await run({ finished: true })).toEqual({ ...NONE, finished: 1, known: 4, topics: { imported: 0, known: 1 } });
      expect((await store.find("ended"))?.transaction).toMatchObject({ status: "succeed", finishTime: BORN + 2_000 });
    });

    test("retention counts from the import, by which finished ones keep their end (R30)", async () => {
      await layAll();
      const before = Date.now();
      await run({ finished: true });
      const ended = (await store.find("ended"))?.transaction;
      expect(ended).toMatchObject({ createTime: BORN, finishTime: BORN + 2_000 });
      expect(ended?.updateTime).toBeGreaterThanOrEqual(before);
      expect(await store.sweep({ endedBefore: before, limit: 9 })).toBe(0);
      expect(await store.sweep({ endedBefore: Date.now() + 1, limit: 9 })).toBe(1);
      expect((await store.find("undoing"))?.transaction.updateTime).toBeLessThan(before);
    });

    test("what we have driven on since is known, and stays as it is", async () => {
      await dtm.saga("g");
      await run();
      await store.change("g", { from: ["submitted"], to: "failed", at: BORN + 9_000, owner: "" });
      expect(await run()).toMatchObject({ known: 1, troubles: 0 });
      expect((await store.find("g"))?.transaction.status).toBe("failed");
    });

    test("what differs is named, left as it is, and counted", async () => {
      await dtm.saga("g");
      await dtm.saga("other");
      await run();
      // dtm was started once more, and went on by itself.
      await dtm.saga("g", { status: "succeed", done: 2 });
      await dtm.topic("orders", ["http://a"]);
      await store.createKey({ cat: "topics", key: "orders", value: "[]", at: BORN });
      expect(await run({ finished: true })).toEqual({ ...NONE, known: 1, troubles: 2 });
      expect(lines).toEqual([
        "differs, left as it is in the store: g: it is succeed in Redis, submitted in the store",
        "differs, left as it is in the store: topics orders has other subscribers",
      ]);
      expect((await store.find("g"))?.transaction.status).toBe("submitted");
    });

    test("a store that goes away ends it with one line, and the next run goes on", async () => {
      for (let n = 0; n < 30; n++) await dtm.saga(`g${n}`);
      let left = 10;
      const failing = creating(store, async (loaded) => {
        if (left-- <= 0) throw new StoreUnavailable("gone");
        return store.create(loaded);
      });
      await expect(run({ store: failing })).rejects.toThrow(/^the store stopped answering: gone; import again/);
      expect(await run()).toEqual({ ...NONE, unfinished: 20, known: 10 });
    });

    test("what the store refuses is named, the others come", async () => {
      await dtm.saga("good");
      await dtm.saga("bad");
      const choosy = creating(store, async (loaded) => {
        if (loaded.transaction.gid === "bad") throw new StoreRejected("url of bad is too long");
        return store.create(loaded);
      });
      expect(await run({ store: choosy })).toEqual({ ...NONE, unfinished: 1, troubles: 1 });
      expect(lines).toEqual(["not imported: bad: url of bad is too long"]);
    });

    test("what can't be read, or has half expired, is named; what has wholly expired is counted (Q26)", async () => {
      await dtm.saga("whole");
      await dtm.saga("broken\nline");
      await dtm.redis.set(`${dtm.prefix}_g_broken\nline`, "{");
      await dtm.saga("unknown");
      await dtm.redis.del(`${dtm.prefix}_s_unknown`);
      await dtm.saga("branchless");
      await dtm.redis.del(`${dtm.prefix}_b_branchless`);
      await dtm.saga("gone");
      await dtm.redis.del(`${dtm.prefix}_g_gone`);
      expect(await run()).toEqual({ ...NONE, unfinished: 1, troubles: 3, expired: 1 });
      expect(lines.sort()).toEqual([
        "not imported: branchless: its branches have expired in Redis, so nobody knows what was done: end it by hand",
        "not imported: broken\ufffdline: it can't be read as JSON",
        "not imported: unknown: its status has expired in Redis, so nobody knows how far it came: end it by hand",
      ]);
    });

    test("while dtm writes nothing is imported, and the store isn't even opened", async () => {
      await dtm.saga("still");
      await dtm.saga("moving");
      const source = await DtmRedis.connect(dtm.address, dtm.prefix);
      const opened = jest.fn();
      const importing = runImport({
        source,
        openStore: opened,
        finished: false,
        now: () => Date.now(),
        // What dtm's cron does when it takes one.
        pause: async () => void (await dtm.redis.zadd(`${dtm.prefix}_u`, DUE + 10, "moving")),
        progress: () => undefined,
        trouble: () => undefined,
      });
      await expect(importing).rejects.toThrow(/^dtm still writes to Redis at .* \(moving\): stop every dtm server/);
      source.close();
      expect(opened).not.toHaveBeenCalled();
    });

    test("a dtm that only asks whether something is due is noticed too", async () => {
      await dtm.saga("still");
      const asking = run({ pause: async () => void (await dtm.redis.eval("return 1", 1, `${dtm.prefix}_u`)) });
      await expect(asking).rejects.toThrow(/^dtm still writes to Redis at .* \(its scripts run\): stop every dtm server/);
    });

    test("scripts of others on keys of their own are none of dtm's", async () => {
      await dtm.saga("still");
      await run({ pause: async () => void (await dtm.redis.eval("return 1", 1, "{dtm:1}:else")) });
    });

    test("dtm that is started in the middle is noticed at the end", async () => {
      await dtm.saga("g");
      const waking = creating(store, async (loaded) => {
        const result = await store.create(loaded);
        await dtm.saga("g", { update_time: goTime(BORN + 60_000) });
        return result;
      });
      expect(await run({ store: waking })).toMatchObject({ unfinished: 1, troubles: 1 });
      expect(lines).toEqual(["dtm wrote while it was imported: stop it and import again (g)"]);
    });

    test("a dry run says the same and writes nothing", async () => {
      await layAll();
      expect(await run({ store: null })).toEqual({ ...NONE, unfinished: 4, leftOut: 1, topics: { imported: 1, known: 0 } });
      expect((await store.list({ limit: 9 })).transactions).toEqual([]);
    });

    test("nothing under the prefix is an error that names it; a prefix is no pattern", async () => {
      await dtm.saga("g");
      const starred = new DtmRedisWriter(server, dtm.prefix.replace("}", "*}"));
      const near = new DtmRedisWriter(server, dtm.prefix.replace("-", "?"));
      for (const empty of [starred, near]) {
        const source = await DtmRedis.connect(empty.address, empty.prefix);
        const importing = runImport({
          source,
          openStore: null,
          finished: true,
          pause: async () => undefined,
          progress: () => undefined,
          trouble: () => undefined,
        });
        await expect(importing).rejects.toThrow(
          `has nothing of dtm's under the prefix ${empty.prefix}: name dtm's own with --prefix`,
        );
        source.close();
        empty.redis.disconnect();
      }
    });

    test("a drained dtm has topics left", async () => {
      await dtm.topic("alone", ["http://a"]);
      expect(await run()).toEqual({ ...NONE, topics: { imported: 1, known: 0 } });
    });

    test("hundreds, with gids of every kind, into a real store and once more", async () => {
      const target = await openTemporaryRedis(server);
      const odd = ["a_b_c", "{x}", "*", "ü", "a b", "g_1"];
      for (const gid of odd) await dtm.saga(gid);
      const many = Array.from({ length: 600 }, (_, n) => dtm.saga(`many-${n}`, { create_time: goTime(BORN + n * 1_000) }));
      await Promise.all(many);
      try {
        expect(await run({ store: target.store })).toEqual({ ...NONE, unfinished: 606 });
        expect(await run({ store: target.store })).toEqual({ ...NONE, known: 606 });
        for (const gid of odd) expect((await target.store.find(gid))?.branches).toHaveLength(4);
      } finally {
        await target.dispose();
      }
    });

    test("a wrong password and a Redis that isn't there: one line each that names --from", async () => {
      const user = `u${Date.now()}`;
      await dtm.redis.call("ACL", "SETUSER", user, "on", ">right", "~*", "+@all");
      try {
        await expect(DtmRedis.connect({ ...dtm.address, user, password: "wrong" }, dtm.prefix)).rejects.toThrow(
          /^Redis at .* refused the login: WRONGPASS.*; check the user and password of --from$/,
        );
        (await DtmRedis.connect({ ...dtm.address, user, password: "right" }, dtm.prefix)).close();
      } finally {
        await dtm.redis.call("ACL", "DELUSER", user);
      }
      const nowhere = { ...dtm.address, hosts: [{ host: "127.0.0.1", port: 1 }] };
      await expect(DtmRedis.connect(nowhere, dtm.prefix)).rejects.toThrow(
        /^no Redis answers at 127\.0\.0\.1:1: .*ECONNREFUSED.*; check --from$/,
      );
      const oneOfTwo = { ...dtm.address, hosts: [...nowhere.hosts, ...dtm.address.hosts] };
      (await DtmRedis.connect(oneOfTwo, dtm.prefix)).close();
    });
  });
});

withServer(REDIS_CLUSTER, () => {
  test("on a Cluster the node that has dtm's slot is found from any other", async () => {
    const seen = new Set<string>();
    for (const prefix of ["{a}", "{b}", "{c}", "{d}"]) {
      for (const host of REDIS_CLUSTER.address.hosts) {
        const source = await DtmRedis.connect({ ...REDIS_CLUSTER.address, hosts: [host], database: 0 }, `${prefix}-nobody`);
        seen.add(source.where);
        source.close();
      }
    }
    expect(seen.size).toBeGreaterThan(1);
  });
});
