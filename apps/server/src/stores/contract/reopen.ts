import { StoreUnavailable } from "../store.js";
import type { Section } from "./contract.js";
import { gidsOf, NOW, plain, SECOND, saga, stored, storedTransaction } from "./fixtures.js";

export function reopenContract({ store, opened }: Section): void {
  test("close keeps what was accepted before it, and another opening shows everything", async () => {
    const { reopen } = opened();
    if (reopen === undefined) return;
    const given = saga();
    await store().create(given);
    await store().createKey({ cat: "topics", key: "a", value: "v", at: NOW });
    const accepted = Array.from({ length: 50 }, () => saga());
    const creates = accepted.map((one) => store().create(one));
    const again = await reopen();
    expect((await Promise.all(creates)).map(({ kind }) => kind)).toEqual(creates.map(() => "created"));
    for (const one of [given, ...accepted]) expect(await stored(again, one.transaction.gid)).toEqual(plain(one));
    expect(await again.findKeys({ cat: "", key: "" })).toHaveLength(1);
    expect((await again.list({ limit: 100 })).transactions).toHaveLength(51);
  });

  test("what was driven is left behind and due, what rests keeps its time (R3)", async () => {
    const { reopen } = opened();
    if (reopen === undefined || store().shared) return;
    const far = Date.now() + 3600 * SECOND;
    const driven = saga({ owner: "gone:1", nextCronTime: far });
    const resting = saga({ nextCronTime: far, attempts: 4, waitingOn: "http://down" });
    const done = saga({ status: "succeed", finishTime: NOW, nextCronTime: NOW });
    for (const one of [driven, resting, done]) await store().create(one);
    const again = await reopen();
    const { claimed, nextDue } = await again.claimDue({ owner: "here:1", limit: 9, now: Date.now() });
    expect(gidsOf(claimed)).toEqual([driven.transaction.gid]);
    expect(nextDue).toBe(far);
    expect(await stored(again, resting.transaction.gid)).toEqual(plain(resting));
    expect(await stored(again, done.transaction.gid)).toEqual(plain(done));
    expect((await storedTransaction(again, driven.transaction.gid)).wake).toBe(0);
  });

  test("a store answers ping while it is open, and says so when it isn't", async () => {
    await store().ping();
    const { reopen } = opened();
    if (reopen === undefined) return;
    const closed = store();
    await reopen();
    await expect(closed.ping()).rejects.toThrow(StoreUnavailable);
    await expect(closed.create(saga())).rejects.toThrow(StoreUnavailable);
    await expect(closed.find("a")).rejects.toThrow(StoreUnavailable);
  });
}
