import { type Candidate, candidate, padded, SHARDS } from "./keys.js";
import { firstOfAll } from "./shares.js";

/** Small and fast, and the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function one(due: number, id: number, shard: number): Candidate {
  return candidate(`1${padded(due)}${padded(id)}g${id}`, shard);
}

/** `weigh` says how likely a shard is to get the next one. */
function shardsWith(count: number, random: () => number, weigh: (shard: number) => number): Candidate[][] {
  const shards = Array.from({ length: SHARDS }, (): Candidate[] => []);
  for (let id = 1; id <= count; id++) {
    let shard = Math.floor(random() * SHARDS);
    while (random() > weigh(shard)) shard = Math.floor(random() * SHARDS);
    shards[shard]?.push(one(Math.floor(random() * 50), id, shard));
  }
  for (const all of shards) all.sort((a, b) => (a.order < b.order ? -1 : 1));
  return shards;
}

const SPREADS: Readonly<Record<string, (shard: number) => number>> = {
  evenly: () => 1,
  "to few shards": (shard) => (shard < 3 ? 1 : 0.001),
  "to one shard": (shard) => (shard === 40 ? 1 : 0),
};

describe("the first of all shards", () => {
  for (const [spread, weigh] of Object.entries(SPREADS)) {
    test.each([
      [0, 256],
      [1, 1],
      [100, 1],
      [300, 256],
      [5_000, 256],
      [5_000, 1_000],
    ])(`are the same as of one list: spread ${spread}, %i of them, limit %i`, async (count, limit) => {
      const shards = shardsWith(count, numbers(count + limit), weigh);
      const asked: number[] = [];
      const { ordered } = await firstOfAll(limit, async (which, share) => {
        asked.push(which.length);
        return which.map((shard) => ({ shard, lists: [(shards[shard] ?? []).slice(0, share)] }));
      });
      const wanted = shards.flat().sort((a, b) => (a.order < b.order ? -1 : 1));
      expect(ordered.slice(0, limit).map(({ gid }) => gid)).toEqual(wanted.slice(0, limit).map(({ gid }) => gid));
      expect(asked.length).toBeLessThanOrEqual(2);
    });
  }

  test("says that there are more, whenever there are", async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const shards = shardsWith(40, numbers(seed), (shard) => (shard < 2 ? 1 : 0));
      const { ordered } = await firstOfAll(20, async (which, share) =>
        // One more than asked for, as the scripts answer.
        which.map((shard) => ({ shard, lists: [(shards[shard] ?? []).slice(0, share + 1)] })),
      );
      expect(ordered.length).toBeGreaterThan(20);
    }
  });

  test("of an even spread need one round", async () => {
    const shards = shardsWith(5_000, numbers(7), () => 1);
    let rounds = 0;
    await firstOfAll(256, async (which, share) => {
      rounds++;
      return which.map((shard) => ({ shard, lists: [(shards[shard] ?? []).slice(0, share + 1)] }));
    });
    expect(rounds).toBe(1);
  });

  test("of shards that can't be reached are left out", async () => {
    const shards = shardsWith(500, numbers(3), () => 1);
    const { ordered } = await firstOfAll(100, async (which, share) =>
      which.filter((shard) => shard >= 20).map((shard) => ({ shard, lists: [(shards[shard] ?? []).slice(0, share)] })),
    );
    expect(ordered.every(({ shard }) => shard >= 20)).toBe(true);
    expect(ordered.length).toBeGreaterThanOrEqual(100);
  });
});
