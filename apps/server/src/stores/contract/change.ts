import type { GlobalStatus } from "../../engine/transaction.js";
import type { Section } from "./contract.js";
import { gidsOf, NOW, newGid, plain, SECOND, saga, stored, storedTransaction, tcc } from "./fixtures.js";

const UNFINISHED: readonly GlobalStatus[] = ["prepared", "submitted", "aborting"];
const AT = NOW + 3 * SECOND;

export function changeContract({ store }: Section): void {
  beforeEach(async () => {
    await store().heartbeat("here", 60_000);
  });

  test("an abort takes the lease of one that rests, and is due now", async () => {
    const given = tcc({ attempts: 2, waitingOn: "" });
    const { gid } = given.transaction;
    await store().create(given);
    const change = { from: ["prepared"] as const, to: "aborting" as const, at: AT, rollbackReason: "why", owner: "here:1" };
    const changed = await store().change(gid, change);
    expect(changed).toMatchObject({ kind: "changed", leased: true });
    expect(changed.kind === "changed" && plain(changed.loaded)).toEqual(
      plain({
        ...given,
        transaction: {
          ...given.transaction,
          status: "aborting",
          updateTime: AT,
          rollbackReason: "why",
          nextCronTime: AT,
          owner: "here:1",
        },
      }),
    );
    expect(await stored(store(), gid)).toEqual(changed.kind === "changed" ? plain(changed.loaded) : null);
  });

  test("somebody else's lease stays, told by wake; the first reason stays (R5)", async () => {
    const given = tcc({ owner: "here:9", rollbackReason: "first" });
    const { gid } = given.transaction;
    await store().create(given);
    const change = { from: UNFINISHED, to: "aborting" as const, at: AT, rollbackReason: "second", owner: "here:1" };
    expect(await store().change(gid, change)).toMatchObject({ kind: "changed", leased: false });
    expect(await storedTransaction(store(), gid)).toMatchObject({
      status: "aborting",
      owner: "here:9",
      wake: 1,
      rollbackReason: "first",
    });
    expect(await store().change(gid, { ...change, from: ["aborting"] })).toMatchObject({ kind: "changed" });
    expect(await storedTransaction(store(), gid)).toMatchObject({ wake: 2 });
  });

  test.each([
    ["succeed", { finishTime: AT, rollbackTime: null }],
    ["failed", { finishTime: null, rollbackTime: AT }],
  ] as const)("%s ends it whoever owns it: no owner, no destination, its time and result set", async (to, times) => {
    const given = tcc({ type: "workflow", owner: "here:9", waitingOn: "http://down" });
    const { gid } = given.transaction;
    await store().create(given);
    const changed = await store().change(gid, { from: UNFINISHED, to, at: AT, result: "cmVz", owner: "here:1" });
    expect(changed).toMatchObject({ kind: "changed", leased: false });
    expect(await storedTransaction(store(), gid)).toMatchObject({
      status: to,
      owner: "",
      waitingOn: "",
      result: "cmVz",
      ...times,
    });
  });

  test("a status that isn't among the expected ones refuses, and tells the row", async () => {
    const given = saga({ status: "succeed" });
    const { gid } = given.transaction;
    await store().create(given);
    const refused = await store().change(gid, { from: UNFINISHED, to: "failed", at: AT, owner: "" });
    expect(refused.kind === "refused" && plain(refused.current)).toEqual(plain(given));
    expect(await stored(store(), gid)).toEqual(plain(given));
    const unknown = await store().change(newGid(), { from: UNFINISHED, to: "failed", at: AT, owner: "" });
    expect(unknown).toEqual({ kind: "refused", current: null });
  });

  test("from prepared exactly one of submitted, aborting and failed wins (R5)", async () => {
    for (let round = 0; round < 10; round++) {
      const given = tcc();
      const { gid } = given.transaction;
      await store().create(given);
      const [submitted, aborted, stopped] = await Promise.all([
        store().submit({ ...given, transaction: { ...given.transaction, status: "submitted" } }),
        store().change(gid, { from: ["prepared"], to: "aborting", at: AT, owner: "" }),
        store().change(gid, { from: ["prepared"], to: "failed", at: AT, owner: "" }),
      ]);
      const winners = [
        ...(submitted.kind === "moved" ? ["submitted"] : []),
        ...(aborted.kind === "changed" ? ["aborting"] : []),
        ...(stopped.kind === "changed" ? ["failed"] : []),
      ];
      expect(winners).toEqual([(await storedTransaction(store(), gid)).status]);
    }
  });

  test("a nudge makes it due, raises wake and forgets what it waits for (R4)", async () => {
    const given = saga({ waitingOn: "http://down", owner: "here:9", attempts: 4 });
    const { gid } = given.transaction;
    await store().create(given);
    expect(await store().nudge(gid, AT)).toBe(true);
    expect(await storedTransaction(store(), gid)).toEqual({
      ...(await storedTransaction(store(), gid)),
      nextCronTime: AT,
      updateTime: AT,
      wake: 1,
      waitingOn: "",
      owner: "here:9",
      attempts: 4,
      status: "submitted",
    });
    expect(await store().nudge(newGid(), AT)).toBe(false);
  });

  test("a nudge of a finished one touches its times only", async () => {
    const given = saga({ status: "succeed", finishTime: NOW });
    const { gid } = given.transaction;
    await store().create(given);
    expect(await store().nudge(gid, AT)).toBe(true);
    expect(await stored(store(), gid)).toEqual(
      plain({ ...given, transaction: { ...given.transaction, nextCronTime: AT, updateTime: AT } }),
    );
    expect(gidsOf((await store().claimDue({ owner: "here:2", limit: 1000, now: AT })).claimed)).not.toContain(gid);
  });
}
