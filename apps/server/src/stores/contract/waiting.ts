import type { Section } from "./contract.js";
import { gidsOf, NOW, plain, SECOND, saga, storedTransaction } from "./fixtures.js";

const DOWN = "http://down:80/path";

export function waitingContract({ store }: Section): void {
  beforeEach(async () => {
    await store().heartbeat("here", 60_000);
  });
  const waiting = async (overrides: Parameters<typeof saga>[0] = {}): Promise<string> => {
    const given = saga({ waitingOn: DOWN, nextCronTime: NOW + 60 * SECOND, ...overrides });
    await store().create(given);
    return given.transaction.gid;
  };

  test("a probe claims what rests for that destination, due or not, and leaves it waiting (R13)", async () => {
    const gid = await waiting();
    await waiting({ waitingOn: "http://other" });
    await waiting({ owner: "here:8" });
    const claimed = await store().claimWaiting(DOWN, { owner: "here:1", limit: 5, now: NOW });
    expect(gidsOf(claimed)).toEqual([gid]);
    expect(claimed[0]?.transaction).toMatchObject({ owner: "here:1", waitingOn: DOWN, wake: 0 });
    expect(claimed.map(plain)).toEqual([plain(await store().find(gid))]);
    expect(await store().claimWaiting(DOWN, { owner: "here:2", limit: 5, now: NOW })).toEqual([]);
  });

  test("compensations are probed with first, then what was due first, and no more than asked for", async () => {
    await waiting({ nextCronTime: NOW + 30 * SECOND });
    const sooner = await waiting({ nextCronTime: NOW + 20 * SECOND });
    const undo = await waiting({ status: "aborting", nextCronTime: NOW + 50 * SECOND });
    expect(gidsOf(await store().claimWaiting(DOWN, { owner: "here:1", limit: 2, now: NOW }))).toEqual([undo, sooner]);
  });

  test("a probe gets one of those that wait though a claim takes the first of them at the same time", async () => {
    for (let made = 0; made < 60; made++) await waiting({ nextCronTime: NOW - made });
    const taken: string[] = [];
    for (let round = 1; round <= 20; round++) {
      const [due, probe] = await Promise.all([
        store().claimDue({ owner: `here:${round}`, limit: 2, now: NOW }),
        store().claimWaiting(DOWN, { owner: `here:probe${round}`, limit: 1, now: NOW }),
      ]);
      expect(probe).toHaveLength(1);
      taken.push(...gidsOf(due.claimed), ...gidsOf(probe));
    }
    taken.push(...gidsOf(await store().claimWaiting(DOWN, { owner: "here:end", limit: 60, now: NOW })));
    expect(taken).toHaveLength(60);
    expect(new Set(taken).size).toBe(60);
  });

  test("waking makes them due, raises wake, and forgets the destination, in chunks", async () => {
    const last = await waiting({ nextCronTime: NOW + 90 * SECOND });
    const first = await waiting();
    const undo = await waiting({ status: "aborting", nextCronTime: NOW + 95 * SECOND });
    const driven = await waiting({ owner: "here:8" });
    expect(await store().wakeWaiting(DOWN, 2, NOW)).toBe(2);
    for (const gid of [undo, first]) {
      expect(await storedTransaction(store(), gid)).toMatchObject({ nextCronTime: NOW, updateTime: NOW, wake: 1, waitingOn: "" });
    }
    expect(await storedTransaction(store(), last)).toMatchObject({ wake: 0, waitingOn: DOWN });
    expect(await store().wakeWaiting(DOWN, 2, NOW)).toBe(1);
    expect(await store().wakeWaiting(DOWN, 2, NOW)).toBe(0);
    expect(await storedTransaction(store(), driven)).toMatchObject({ wake: 0, waitingOn: DOWN });
    const { claimed } = await store().claimDue({ owner: "here:1", limit: 9, now: NOW });
    expect(gidsOf(claimed).sort()).toEqual([first, last, undo].sort());
  });

  test("waking gets as many as it asks for while claims take from the same end (R13)", async () => {
    for (let made = 0; made < 300; made++) await waiting({ nextCronTime: NOW - made });
    let taken = 0;
    let woken = 0;
    for (let round = 1; round <= 5; round++) {
      const [due, count] = await Promise.all([
        store().claimDue({ owner: `here:${round}`, limit: 20, now: NOW }),
        store().wakeWaiting(DOWN, 32, NOW + SECOND),
      ]);
      expect(count).toBe(32);
      taken += due.claimed.length;
      woken += count;
    }
    const left = await store().claimWaiting(DOWN, { owner: "here:end", limit: 300, now: NOW });
    expect(taken + woken + left.length).toBe(300);
  });

  test("destinations are told from so many resting on", async () => {
    for (let made = 0; made < 3; made++) await waiting();
    for (let made = 0; made < 2; made++) await waiting({ waitingOn: "http://other" });
    await waiting({ waitingOn: "http://other", owner: "here:8" });
    expect(await store().waitingDestinations(3)).toEqual([DOWN]);
    expect([...(await store().waitingDestinations(2))].sort()).toEqual([DOWN, "http://other"]);
    expect(await store().waitingDestinations(4)).toEqual([]);
  });

  test("what ended waits for nothing", async () => {
    const gid = await waiting({ owner: "here:8" });
    await store().move(gid, { owner: "here:8", status: "submitted", to: "succeed", at: NOW, results: [] });
    const stopped = await waiting();
    await store().change(stopped, { from: ["submitted"], to: "failed", at: NOW, owner: "" });
    expect(await store().waitingDestinations(1)).toEqual([]);
    expect(await store().wakeWaiting(DOWN, 9, NOW)).toBe(0);
    expect(await store().claimWaiting(DOWN, { owner: "here:1", limit: 9, now: NOW })).toEqual([]);
  });
}
