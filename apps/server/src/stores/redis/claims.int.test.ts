/** A node of a Cluster that goes away between the two asks of a claim: what the first one found is claimed all the same. */
import { onMasters, openTemporaryRedis, REDIS, redisOptions } from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import type { Opened } from "../contract/contract.js";
import { gidsOf, NOW, newGid, SECOND, saga, storedTransaction } from "../contract/fixtures.js";
import { StoreUnavailable } from "../store.js";
import { Claims } from "./claims.js";
import { type Call, Dispatcher } from "./dispatch.js";
import { Keys, SHARDS, shardOf } from "./keys.js";
import { CLAIM } from "./lua/claim.js";
import { PEEK } from "./lua/peek.js";
import { WAITING } from "./lua/waiting.js";
import { Nodes } from "./nodes.js";
import { openRedis } from "./store.js";
import { Topology } from "./topology.js";

const ONE_SHARD = 5;
jest.setTimeout(60_000);

/** Speaks to Redis itself, but fails the asks that it is told to, and remembers the claims. */
class Failing extends Dispatcher {
  fails: (asked: number) => boolean = () => false;
  away: (call: Call) => boolean = () => false;
  claims: Call[] = [];

  override async settle(calls: readonly Call[]): Promise<unknown[]> {
    const peeks = calls.filter(({ script }) => script === PEEK).length;
    if (peeks > 0 && this.fails(peeks)) return calls.map(() => new StoreUnavailable("it is away"));
    this.claims.push(...calls.filter(({ script }) => script === CLAIM));
    const there = calls.filter((call) => !this.away(call));
    const replies = await super.settle(there);
    return calls.map((call) => (this.away(call) ? new StoreUnavailable("it is away") : replies[there.indexOf(call)]));
  }
}

withServer(REDIS, () => {
  describe("claims on Redis", () => {
    const options = redisOptions(REDIS);
    const keys = new Keys(options.prefix);
    const dispatcher = new Failing(options, new Topology(options, keys), options.replicas);
    const claims = new Claims(dispatcher, keys, new Nodes(dispatcher, keys));
    let opened: Opened;

    beforeAll(async () => {
      opened = await openTemporaryRedis(REDIS, options);
      await opened.store.heartbeat("here", 600_000);
      for (let made = 0; made < 30; ) {
        const gid = newGid();
        if (shardOf(gid) !== ONE_SHARD) continue;
        await opened.store.create(saga({ gid, nextCronTime: NOW }));
        made++;
      }
    });
    async function waitingFor(waitingOn: string): Promise<string> {
      const given = saga({ waitingOn, nextCronTime: NOW + SECOND });
      await opened.store.create(given);
      return given.transaction.gid;
    }

    afterAll(async () => {
      dispatcher.close();
      await opened.dispose();
    });

    test("a shard that can't be asked again gives what it had shown", async () => {
      dispatcher.fails = (asked) => asked < SHARDS;
      const { claimed } = await claims.claimDue({ owner: "here:1", limit: 20, now: NOW });
      expect(claimed.length).toBeGreaterThan(0);
      expect(claimed.length).toBeLessThan(20);
    });

    test("when nobody can be asked it says so", async () => {
      dispatcher.fails = () => true;
      await expect(claims.claimDue({ owner: "here:2", limit: 20, now: NOW })).rejects.toThrow("it is away");
    });

    test("what is left is claimed when it can be asked again", async () => {
      dispatcher.fails = () => false;
      const { claimed } = await claims.claimDue({ owner: "here:3", limit: 30, now: NOW });
      expect(claimed.length).toBeGreaterThan(10);
      expect((await claims.claimDue({ owner: "here:4", limit: 30, now: NOW })).claimed).toEqual([]);
    });

    test("a probe gets one of those that wait though a shard is away, and hears of it when all are", async () => {
      const gid = await waitingFor("http://probed");
      const other = (shardOf(gid) + 1) % SHARDS;
      dispatcher.away = ({ tag, script }) => script === WAITING && tag === other;
      const probe = { owner: "here:5", limit: 1, now: NOW };
      expect(gidsOf(await claims.claimWaiting("http://probed", probe))).toEqual([gid]);
      dispatcher.away = ({ script }) => script === WAITING;
      await expect(claims.claimWaiting("http://probed", probe)).rejects.toThrow("it is away");
      dispatcher.away = () => false;
    });

    test("a journal goes away by itself also where the first operation of its lane changed nothing", async () => {
      const fresh = redisOptions(REDIS, { prefix: options.prefix });
      const gids = Array.from({ length: 400 }, newGid).filter((gid) => shardOf(gid) === ONE_SHARD);
      const [first = newGid(), second = newGid()] = gids;
      await opened.store.create(saga({ gid: first }));
      const other = openRedis(fresh);
      await other.open();
      expect(await other.create(saga({ gid: first }))).toMatchObject({ kind: "exists" });
      expect(await other.create(saga({ gid: second }))).toMatchObject({ kind: "created" });
      await other.close();
      const left = await onMasters(REDIS, async (redis) => {
        const journals = await redis.keys(`*${options.prefix}*:j:*`);
        return Promise.all(journals.map((key) => redis.pttl(key)));
      });
      expect(left.flat().length).toBeGreaterThan(1);
      for (const millis of left.flat()) expect(millis).toBeGreaterThan(0);
    });

    test("a copy of a probe's claim that lands when what it took waits again takes nothing: nobody would drive it (R3, R7)", async () => {
      const gid = await waitingFor("http://late");
      dispatcher.claims = [];
      const owner = "here:6";
      expect(gidsOf(await claims.claimWaiting("http://late", { owner, limit: 1, now: NOW }))).toEqual([gid]);
      const rest = { nextCronTime: NOW + 60 * SECOND, nextCronInterval: 10, attempts: 1, refusals: 0, waitingOn: "http://late" };
      const rested = await opened.store.rest(gid, { owner, status: "submitted", wake: 0, ...rest, at: NOW, results: [] });
      expect(rested).toEqual({ kind: "done" });
      await dispatcher.settle([...dispatcher.claims]);
      expect(await storedTransaction(opened.store, gid)).toMatchObject({ owner: "", waitingOn: "http://late" });
    });
  });
});
