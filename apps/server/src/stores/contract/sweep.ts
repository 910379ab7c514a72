import type { Transaction } from "../../engine/transaction.js";
import type { Section } from "./contract.js";
import { NOW, SECOND, saga, stored, storedTransaction, tcc } from "./fixtures.js";

const DAY = 86_400 * SECOND;

export function sweepContract({ store }: Section): void {
  beforeEach(async () => {
    await store().heartbeat("here", 60_000);
  });

  /** One that was created two days ago and ended at `end`. */
  const ended = async (end: number, to: "succeed" | "failed" = "succeed"): Promise<string> => {
    const status: Transaction["status"] = to === "succeed" ? "submitted" : "aborting";
    const given = saga({ status, createTime: NOW - 2 * DAY, owner: "here:1" });
    const { gid } = given.transaction;
    await store().create(given);
    await store().move(gid, { owner: "here:1", status, to, at: end, results: [] });
    return gid;
  };

  test("what ended before goes with its branches, what ended later stays (R30)", async () => {
    const gone = [await ended(NOW - DAY - SECOND), await ended(NOW - DAY - SECOND, "failed")];
    const kept = [await ended(NOW - DAY), await ended(NOW, "failed")];
    expect(await store().sweep({ endedBefore: NOW - DAY, limit: 10 })).toBe(2);
    for (const gid of gone) expect(await store().find(gid)).toBeNull();
    for (const gid of kept) expect(await store().find(gid)).not.toBeNull();
    expect((await store().list({ limit: 10 })).transactions.map(({ gid }) => gid).sort()).toEqual([...kept].sort());
    expect(await store().sweep({ endedBefore: NOW - DAY, limit: 10 })).toBe(0);
  });

  test("a gid that was swept can be used again, without the branches of the first", async () => {
    const gid = await ended(NOW - DAY);
    await store().sweep({ endedBefore: NOW, limit: 10 });
    await store().create(tcc({ gid }));
    expect((await store().find(gid))?.branches).toEqual([]);
  });

  test("no more than asked for", async () => {
    for (let made = 0; made < 5; made++) await ended(NOW - DAY);
    expect(await store().sweep({ endedBefore: NOW, limit: 2 })).toBe(2);
    expect(await store().sweep({ endedBefore: NOW, limit: 2 })).toBe(2);
    expect(await store().sweep({ endedBefore: NOW, limit: 2 })).toBe(1);
  });

  test("what ended elsewhere counts from when it was brought here", async () => {
    const long = NOW - 30 * DAY;
    const old = { createTime: long, nextCronTime: long };
    const done = saga({ ...old, status: "succeed", finishTime: long + SECOND, updateTime: NOW - DAY });
    const undone = saga({ ...old, status: "failed", rollbackTime: long + SECOND, updateTime: NOW - DAY });
    for (const loaded of [done, undone]) await store().create(loaded);
    expect(await store().sweep({ endedBefore: NOW - DAY, limit: 10 })).toBe(0);
    expect(await storedTransaction(store(), done.transaction.gid)).toMatchObject({ finishTime: long + SECOND });
    expect(await store().sweep({ endedBefore: NOW - DAY + SECOND, limit: 10 })).toBe(2);
  });

  test("what is not over stays, however old", async () => {
    const old = { createTime: NOW - 400 * DAY, updateTime: NOW - 400 * DAY, nextCronTime: NOW - 400 * DAY };
    const given = [saga(old), saga({ ...old, status: "aborting" }), tcc(old)];
    for (const loaded of given) await store().create(loaded);
    expect(await store().sweep({ endedBefore: NOW, limit: 10 })).toBe(0);
    for (const { transaction } of given) expect(await stored(store(), transaction.gid)).not.toBeNull();
  });
}
