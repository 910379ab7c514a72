/** Leases between nodes (R1, R2, R5), for stores that several nodes share; a store of one server declares that it is not (`shared`). */
import type { Section } from "./contract.js";
import { gidsOf, NOW, saga, storedTransaction, tcc } from "./fixtures.js";

const LONG = 60_000;

export function sharedContract({ store }: Section): void {
  const claim = (owner: string) => store().claimDue({ owner, limit: 10, now: NOW });

  test("a store that isn't shared needs no heartbeat and buries nobody", async () => {
    if (store().shared) return;
    expect(await store().heartbeat("here", 1)).toBe(true);
    await store().create(saga({ owner: "there:1", nextCronTime: NOW - 1 }));
    await store().retire("there");
    expect(await claim("here:1")).toEqual({ claimed: [], nextDue: null });
  });

  test("what a live node owns is not claimed; what a dead one left is, due or not", async () => {
    if (!store().shared) return;
    await store().heartbeat("here", LONG);
    await store().heartbeat("there", LONG);
    const given = saga({ owner: "there:1", nextCronTime: NOW + LONG });
    await store().create(given);
    expect((await claim("here:1")).claimed).toEqual([]);
    await store().retire("there");
    expect(gidsOf((await claim("here:2")).claimed)).toEqual([given.transaction.gid]);
  });

  test("a dead epoch never revives, and claims and leases nothing", async () => {
    if (!store().shared) return;
    await store().heartbeat("there", LONG);
    await store().retire("there");
    expect(await store().heartbeat("there", LONG)).toBe(false);
    const due = tcc({ nextCronTime: NOW });
    const { gid } = due.transaction;
    await store().create(due);
    expect((await claim("there:1")).claimed).toEqual([]);
    const abort = { from: ["prepared"], to: "aborting", at: NOW, owner: "there:2" } as const;
    expect(await store().change(gid, abort)).toMatchObject({ kind: "changed", leased: false });
    expect(await storedTransaction(store(), gid)).toMatchObject({ owner: "" });
  });

  test("who lives is told, until it is declared dead", async () => {
    if (!store().shared) return expect(await store().liveEpochs()).toEqual([]);
    await store().heartbeat("here", LONG);
    await store().heartbeat("there", LONG);
    expect([...(await store().liveEpochs())].sort()).toEqual(["here", "there"]);
    await store().retire("there");
    expect(await store().liveEpochs()).toEqual(["here"]);
  });

  test("a caller's change takes over from a dead owner only (R5)", async () => {
    if (!store().shared) return;
    await store().heartbeat("here", LONG);
    await store().heartbeat("there", LONG);
    const given = tcc({ owner: "there:1" });
    const { gid } = given.transaction;
    await store().create(given);
    const abort = { from: ["prepared", "aborting"], to: "aborting", at: NOW, owner: "here:1" } as const;
    expect(await store().change(gid, abort)).toMatchObject({ kind: "changed", leased: false });
    expect(await storedTransaction(store(), gid)).toMatchObject({ owner: "there:1", wake: 1 });
    await store().retire("there");
    expect(await store().change(gid, abort)).toMatchObject({ kind: "changed", leased: true });
    expect(await storedTransaction(store(), gid)).toMatchObject({ owner: "here:1" });
  });

  test("a heartbeat that isn't repeated ends, on the store's clock", async () => {
    if (!store().shared) return;
    await store().heartbeat("here", LONG);
    await store().heartbeat("there", 1);
    const given = saga({ owner: "there:1" });
    await store().create(given);
    let { claimed } = await claim("here:1");
    while (claimed.length === 0) ({ claimed } = await claim("here:1"));
    expect(gidsOf(claimed)).toEqual([given.transaction.gid]);
    expect(await store().heartbeat("there", LONG)).toBe(false);
  });
}
