/** A node of a Cluster that goes away between the two asks of a claim: what the first one found is claimed all the same. */
import { onMasters, openTemporaryRedis, REDIS, redisOptions } from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import type { Transaction } from "../../engine/transaction.js";
import type { Opened } from "../contract/contract.js";
import { gidsOf, NOW, newGid, SECOND, saga, storedTransaction } from "../contract/fixtures.js";
import { StoreUnavailable } from "../store.js";
import { Claims } from "./claims.js";
import { type Call, Dispatcher } from "./dispatch.js";
import { NotDone } from "./errors.js";
import { Keys, SHARDS, shardOf, type Tag } from "./keys.js";
import { CLAIM } from "./lua/claim.js";
import { MAKE_DUE } from "./lua/make-due.js";
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
  trouble: Error = new StoreUnavailable("it is away");
  claims: Call[] = [];

  override async settle(calls: readonly Call[]): Promise<unknown[]> {
    const peeks = calls.filter(({ script }) => script === PEEK).length;
    if (peeks > 0 && this.fails(peeks)) return calls.map(() => new StoreUnavailable("it is away"));
    this.claims.push(...calls.filter(({ script }) => script === CLAIM));
    const there = calls.filter((call) => !this.away(call));
    const replies = await super.settle(there);
    return calls.map((call) => (this.away(call) ? this.trouble : replies[there.indexOf(call)]));
  }

  /** As if the shards lay on two nodes. */
  override nodeOf(tag: Tag): string {
    return Number(tag) % 2 === 0 ? "even" : "odd";
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

    /** Of each of the two nodes; those of the second are due later. */
    async function madeOnBoth(change: (place: number) => Partial<Transaction>): Promise<readonly [string[], string[]]> {
      const gids: [string[], string[]] = [[], []];
      for (let made = 0; made < 20; ) {
        const gid = newGid();
        const place = shardOf(gid) % 2;
        if (gids[place]?.push(gid) === 11) gids[place]?.pop();
        else {
          await opened.store.create(saga({ gid, ...change(place) }));
          made++;
        }
      }
      return gids;
    }

    test("a node that refuses claims holds up its own only: the next claims leave it out, though it has what is due first", async () => {
      const [refused, others] = await madeOnBoth((place) => ({ nextCronTime: NOW - SECOND + place }));
      dispatcher.away = ({ tag, script }) => script === CLAIM && Number(tag) % 2 === 0;
      dispatcher.trouble = new NotDone("NOREPLICAS");
      const claim = async (counter: number, limit: number) => {
        const { claimed } = await claims.claimDue({ owner: `here:${counter}`, limit, now: NOW - SECOND + 1 });
        return gidsOf(claimed);
      };
      const both = await claim(10, 15);
      expect(both.sort()).toEqual(others.filter((gid) => both.includes(gid)).sort());
      expect(both).toHaveLength(5);
      expect(await claim(11, 5)).toHaveLength(5);
      expect(await claim(12, 5)).toEqual([]);
      const later = jest.spyOn(performance, "now").mockReturnValue(performance.now() + 11_000);
      await expect(claim(13, 5)).rejects.toThrow("NOREPLICAS");
      later.mockRestore();
      dispatcher.away = () => false;
      const late = jest.spyOn(performance, "now").mockReturnValue(performance.now() + 30_000);
      expect((await claim(14, 20)).sort()).toEqual(refused.sort());
      late.mockRestore();
    });

    test("when one part of a claim may have happened, all of it is read back (R7)", async () => {
      const [, others] = await madeOnBoth((place) => ({ nextCronTime: NOW - 2 * SECOND + place }));
      dispatcher.away = ({ tag, script }) => script === CLAIM && Number(tag) % 2 === 0;
      dispatcher.trouble = new StoreUnavailable("no answer");
      const fresh = new Claims(dispatcher, keys, new Nodes(dispatcher, keys));
      await expect(fresh.claimDue({ owner: "here:20", limit: 20, now: NOW - SECOND - 1 })).rejects.toThrow("no answer");
      expect(gidsOf(await fresh.ownedBy("here:20")).sort()).toEqual(others.sort());
      dispatcher.away = () => false;
      await fresh.claimDue({ owner: "here:21", limit: 20, now: NOW - SECOND - 1 });
    });

    test("a node that refuses writes holds up no wake-up of others, and is heard of in the end", async () => {
      const waitingOn = "http://woken";
      const [, others] = await madeOnBoth((place) => ({ waitingOn, nextCronTime: NOW + 60 * SECOND + place }));
      dispatcher.away = ({ tag, script }) => script === MAKE_DUE && Number(tag) % 2 === 0;
      dispatcher.trouble = new NotDone("NOREPLICAS");
      await expect(claims.wakeWaiting(waitingOn, 11, NOW)).rejects.toThrow("NOREPLICAS");
      for (const gid of others) expect(await storedTransaction(opened.store, gid)).toMatchObject({ waitingOn: "" });
      dispatcher.away = () => false;
      expect(await claims.wakeWaiting(waitingOn, 11, NOW)).toBe(10);
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
