/** A node of a Cluster that goes away between the two asks of a claim: what the first one found is claimed all the same. */
import { openTemporaryRedis, REDIS, redisOptions } from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import type { Opened } from "../contract/contract.js";
import { NOW, newGid, saga } from "../contract/fixtures.js";
import { StoreUnavailable } from "../store.js";
import { Claims } from "./claims.js";
import { type Call, Dispatcher } from "./dispatch.js";
import { Keys, SHARDS, shardOf } from "./keys.js";
import { PEEK } from "./lua/peek.js";
import { Nodes } from "./nodes.js";
import { Topology } from "./topology.js";

const ONE_SHARD = 5;
jest.setTimeout(60_000);

/** Speaks to Redis itself, but fails the asks that it is told to. */
class Failing extends Dispatcher {
  fails: (asked: number) => boolean = () => false;

  override async settle(calls: readonly Call[]): Promise<unknown[]> {
    const peeks = calls.filter(({ script }) => script === PEEK).length;
    if (peeks > 0 && this.fails(peeks)) return calls.map(() => new StoreUnavailable("it is away"));
    return await super.settle(calls);
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
  });
});
