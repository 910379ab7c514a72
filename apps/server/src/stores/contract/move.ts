import type { Branch } from "../../engine/transaction.js";
import type { BranchResult } from "../store.js";
import type { Section } from "./contract.js";
import { branch, NOW, newGid, plain, plainBranch, SECOND, saga, statuses, stored, storedTransaction, tcc } from "./fixtures.js";

const AT = NOW + 5 * SECOND;
const owner = "here:1";

function settledBy(results: readonly BranchResult[]): (row: Branch) => Branch {
  return (row) => {
    const result = results.find(({ branchId, op }) => branchId === row.branchId && op === row.op);
    if (result === undefined) return row;
    const { status, at } = result;
    return { ...row, status, updateTime: at, ...(status === "succeed" ? { finishTime: at } : { rollbackTime: at }) };
  };
}

export function moveContract({ store }: Section): void {
  const success = (branchId: string, op = "action", at = AT) => ({ branchId, op, status: "succeed" as const, at });

  test("the end and the results of the branches are one write", async () => {
    const given = saga({ owner, waitingOn: "" });
    const { gid } = given.transaction;
    await store().create(given);
    const results = [success("01", "action", AT - SECOND), success("02")];
    expect(await store().move(gid, { owner, status: "submitted", to: "succeed", at: AT, results })).toEqual({
      kind: "moved",
      branches: null,
    });
    expect(await stored(store(), gid)).toEqual(
      plain({
        transaction: { ...given.transaction, status: "succeed", updateTime: AT, finishTime: AT, owner: "" },
        branches: given.branches.map(settledBy(results)),
      }),
    );
  });

  test("many that end at once settle each its own branches, and no others", async () => {
    const early = AT - SECOND;
    const failed = { ...success("02", "compensate"), status: "failed" as const };
    const ends: readonly (readonly BranchResult[])[] = [
      [success("01"), success("02")],
      [success("01")],
      [],
      [success("02"), success("01")],
      [success("01"), success("02")],
      [success("02")],
      [success("01", "action", early), success("02")],
      [success("01", "action", early), success("02", "action", early)],
      [success("01", "compensate"), success("02", "compensate")],
      [success("01"), success("02"), success("01", "compensate"), failed],
    ];
    const all = ends.map((results) => ({ results, given: saga({ owner }) }));
    await Promise.all(all.map(({ given }) => store().create(given)));
    const ended = { owner, status: "submitted", to: "succeed", at: AT } as const;
    const moves = all.map(({ given, results }) => store().move(given.transaction.gid, { ...ended, results }));
    expect((await Promise.all(moves)).map(({ kind }) => kind)).toEqual(ends.map(() => "moved"));
    for (const { given, results } of all) {
      const found = await store().find(given.transaction.gid);
      expect(found?.branches.map(plainBranch)).toEqual(given.branches.map(settledBy(results)).map(plainBranch));
    }
  });

  test("failed sets the rollback's time; the first reason stays", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const failure = [{ branchId: "01", op: "action", status: "failed" as const, at: AT }];
    const turn = { owner, status: "submitted", to: "aborting", at: AT, results: failure, rollbackReason: "first" } as const;
    expect(await store().move(gid, turn)).toMatchObject({ kind: "moved" });
    expect(await storedTransaction(store(), gid)).toMatchObject({ status: "aborting", owner, rollbackReason: "first" });
    expect((await store().find(gid))?.branches[1]).toMatchObject({ status: "failed", rollbackTime: AT, finishTime: null });
    const end = { owner, status: "aborting", to: "failed", at: AT + SECOND, results: [], rollbackReason: "second" } as const;
    expect(await store().move(gid, end)).toEqual({ kind: "moved", branches: null });
    expect(await storedTransaction(store(), gid)).toMatchObject({
      status: "failed",
      owner: "",
      rollbackReason: "first",
      rollbackTime: AT + SECOND,
      finishTime: null,
    });
  });

  test("from prepared it tells the branches as of the move", async () => {
    const given = tcc({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    await store().registerBranches(gid, [branch(gid, "01", "cancel"), branch(gid, "01", "confirm")]);
    const moved = await store().move(gid, { owner, status: "prepared", to: "aborting", at: AT, results: [] });
    expect(moved.kind === "moved" && moved.branches?.map((row) => row.op)).toEqual(["cancel", "confirm"]);
  });

  test("the next due time changes only when it is given", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const move = { owner, status: "submitted", to: "aborting", at: AT, results: [] } as const;
    await store().move(gid, move);
    expect(await storedTransaction(store(), gid)).toMatchObject({ nextCronTime: given.transaction.nextCronTime });
    await store().move(gid, { ...move, status: "aborting", nextCronTime: AT + SECOND });
    expect(await storedTransaction(store(), gid)).toMatchObject({ nextCronTime: AT + SECOND });
  });

  test.each([
    ["another owner", { owner: "here:2", status: "submitted" }],
    ["nobody's name", { owner: "", status: "submitted" }],
    ["another status", { owner, status: "aborting" }],
    ["a final status", { owner, status: "succeed" }],
  ] as const)("%s is refused, changes nothing, and is told the row (R1)", async (_, fence) => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const refused = await store().move(gid, { ...fence, to: "failed", at: AT, results: [success("01")] });
    expect(refused.kind === "refused" && plain(refused.current)).toEqual(plain(given));
    expect(await stored(store(), gid)).toEqual(plain(given));
  });

  test("nothing final changes, and an unknown gid is refused with null", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const end = { owner, status: "submitted", to: "succeed", at: AT, results: [] } as const;
    await store().move(gid, end);
    expect(await store().move(gid, end)).toMatchObject({ kind: "refused" });
    const posthumous = { owner: "", status: "succeed", to: "failed", at: AT, results: [] } as const;
    expect(await store().move(gid, posthumous)).toMatchObject({ kind: "refused" });
    expect(await storedTransaction(store(), gid)).toMatchObject({ status: "succeed" });
    expect(await store().move(newGid(), end)).toEqual({ kind: "refused", current: null });
  });

  test("a settled branch keeps its first answer, and unknown ones are ignored", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const first = { branchId: "01", op: "action", status: "failed" as const, at: AT };
    await store().move(gid, { owner, status: "submitted", to: "aborting", at: AT, results: [first] });
    const late = [success("01", "action", AT + SECOND), success("77")];
    await store().move(gid, { owner, status: "aborting", to: "failed", at: AT, results: late });
    expect(await statuses(store(), gid)).toEqual([
      "01 compensate prepared",
      "01 action failed",
      "02 compensate prepared",
      "02 action prepared",
    ]);
  });

  test("of many drivers with one fence, one moves", async () => {
    const given = saga({ owner });
    await store().create(given);
    const end = { owner, status: "submitted", to: "succeed", at: AT, results: [] } as const;
    const answers = await Promise.all(Array.from({ length: 16 }, () => store().move(given.transaction.gid, end)));
    expect(answers.filter(({ kind }) => kind === "moved")).toHaveLength(1);
  });
}
