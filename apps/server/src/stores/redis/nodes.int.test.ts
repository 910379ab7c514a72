/** Deaths that have to be told to 64 shards: whatever fails on the way, the rows of the dead are taken up, and by the living only (R2). */
import { onMasters, openTemporaryRedis, REDIS, redisOptions, removePrefix } from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import type { Opened } from "../contract/contract.js";
import { gidsOf, NOW, saga, storedTransaction, tcc } from "../contract/fixtures.js";
import { ALL_SHARDS, Keys, shardOf } from "./keys.js";
import { openRedis } from "./store.js";

const SLOW_MS = 60_000;
const LONG = 600_000;
jest.setTimeout(SLOW_MS);

withServer(REDIS, () => {
  describe("Redis nodes", () => {
    const options = redisOptions(REDIS);
    const keys = new Keys(options.prefix);
    let opened: Opened;
    beforeAll(async () => {
      opened = await openTemporaryRedis(REDIS, options);
    }, SLOW_MS);
    beforeEach(async () => {
      await removePrefix(REDIS, options.prefix);
      await opened.store.heartbeat("here", LONG);
      await opened.store.heartbeat("there", LONG);
    });
    afterAll(() => opened.dispose(), SLOW_MS);
    const claim = (owner: string) => opened.store.claimDue({ owner, limit: 10, now: NOW });
    const command = (...words: [string, ...string[]]) => onMasters(REDIS, (redis) => redis.call(...words));
    const owned = async (owner: string): Promise<string> => {
      const given = saga({ owner, nextCronTime: NOW + LONG });
      await opened.store.create(given);
      return given.transaction.gid;
    };

    test("every shard refuses the dead what it gives the living", async () => {
      await opened.store.retire("there");
      for (const shard of ALL_SHARDS) expect(await command("ZSCORE", keys.index(shard), "xthere")).toEqual(["0"]);
    });

    test("a node that doesn't know yet that it is dead leases nothing, where its death was told", async () => {
      const other = openRedis(options);
      await other.open();
      await other.heartbeat("there", LONG);
      await opened.store.retire("there");
      const given = tcc();
      const { gid } = given.transaction;
      await opened.store.create(given);
      const abort = { from: ["prepared"], to: "aborting", at: NOW, owner: "there:9" } as const;
      expect(await other.change(gid, abort)).toMatchObject({ kind: "changed", leased: false });
      expect(await storedTransaction(other, gid)).toMatchObject({ owner: "", status: "aborting" });
      expect((await other.claimDue({ owner: "there:10", limit: 10, now: NOW })).claimed).toEqual([]);
      expect(await other.heartbeat("there", LONG)).toBe(false);
      await other.close();
    });

    test("whoever buried it died before telling anybody: the next claim tells it", async () => {
      const gid = await owned("there:1");
      await command("ZREM", keys.of("nodes", "alive"), "there");
      await command("ZADD", keys.of("nodes", "dead"), "1", "there");
      await command("SADD", keys.of("nodes", "untold"), "there");
      expect(gidsOf((await claim("here:1")).claimed)).toEqual([gid]);
      expect(await command("SMEMBERS", keys.of("nodes", "untold"))).toEqual([[]]);
    });

    test("a shard that forgot a death is told again", async () => {
      const gid = await owned("there:1");
      await opened.store.retire("there");
      await command("ZREM", keys.index(shardOf(gid)), "xthere");
      let { claimed } = await claim("here:1");
      expect(claimed).toEqual([]);
      ({ claimed } = await claim("here:2"));
      expect(gidsOf(claimed)).toEqual([gid]);
    });

    test("an epoch that is dead for a month is forgotten everywhere with the next death, a younger one isn't", async () => {
      await opened.store.heartbeat("ancient", LONG);
      await opened.store.retire("ancient");
      await opened.store.retire("there");
      await command("ZADD", keys.of("nodes", "dead"), "1", "ancient");
      await opened.store.heartbeat("last", LONG);
      await opened.store.retire("last");
      for (const shard of ALL_SHARDS) {
        expect(await command("ZSCORE", keys.index(shard), "xancient")).toEqual([null]);
        expect(await command("ZSCORE", keys.index(shard), "xthere")).toEqual(["0"]);
        expect(await command("ZSCORE", keys.index(shard), "xlast")).toEqual(["0"]);
      }
      const dead = await command("ZRANGE", keys.of("nodes", "dead"), "0", "-1");
      expect(dead.flat().sort()).toEqual(["last", "there"]);
    });

    test("an owner that nobody has heard of has time to be heard", async () => {
      await owned("nowhere:1");
      expect((await claim("here:1")).claimed).toEqual([]);
      expect(await command("ZSCORE", keys.of("nodes", "alive"), "nowhere")).not.toEqual([null]);
      expect(await command("ZSCORE", keys.of("nodes", "dead"), "nowhere")).toEqual([null]);
    });
  });
});
