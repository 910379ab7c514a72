import { NO_OPTIONS } from "../../engine/transaction.js";
import type { Section } from "./contract.js";
import { NOW, newGid, plain, plainBranch, plainTransaction, SECOND, saga, stored, storedTransaction, tcc } from "./fixtures.js";

export function submitContract({ store }: Section): void {
  const owner = "here:1";
  /** Leases ask for a live epoch where epochs matter (R2). */
  beforeEach(async () => {
    await store().heartbeat("here", 60_000);
  });

  test("a new gid is created as given, with its owner", async () => {
    const given = saga({ owner });
    expect(await store().submit(given)).toEqual({ kind: "created" });
    expect(await stored(store(), given.transaction.gid)).toEqual(plain(given));
  });

  test("a prepared one is moved with merged options and keeps its own branches (R8)", async () => {
    const prepared = saga({
      type: "msg",
      status: "prepared",
      queryPrepared: "http://service/query",
      customData: '{"a":1}',
      rollbackReason: "",
      options: { ...NO_OPTIONS, timeoutToFail: 9, requestTimeout: 5, branchHeaders: { a: "1", b: "1" } },
      attempts: 0,
    });
    const { gid } = prepared.transaction;
    await store().create(prepared);
    const at = NOW + 2 * SECOND;
    const submitted = await store().submit({
      transaction: {
        ...prepared.transaction,
        type: "saga",
        status: "submitted",
        queryPrepared: "other",
        customData: "",
        options: { ...NO_OPTIONS, waitResult: true, requestTimeout: 2, branchHeaders: { b: "2", c: "2" } },
        createTime: at,
        updateTime: at,
        submitTime: at,
        nextCronInterval: 4,
        nextCronTime: at + 4 * SECOND,
        owner,
      },
      branches: [],
    });
    const expected = {
      ...prepared.transaction,
      status: "submitted" as const,
      options: {
        ...NO_OPTIONS,
        waitResult: true,
        timeoutToFail: 9,
        requestTimeout: 2,
        branchHeaders: { a: "1", b: "2", c: "2" },
      },
      updateTime: at,
      submitTime: at,
      nextCronInterval: 4,
      nextCronTime: at + 4 * SECOND,
      owner,
    };
    expect(submitted.kind).toBe("moved");
    if (submitted.kind !== "moved") return;
    expect(submitted.leased).toBe(true);
    expect(plain(submitted.loaded)).toEqual({
      transaction: plainTransaction(expected),
      branches: prepared.branches.map(plainBranch),
    });
    expect(await stored(store(), gid)).toEqual(plain(submitted.loaded));
  });

  test("without a wish to own it nobody does", async () => {
    const prepared = tcc();
    await store().create(prepared);
    const submitted = await store().submit({ ...prepared, transaction: { ...prepared.transaction, status: "submitted" } });
    expect(submitted).toMatchObject({ kind: "moved", leased: false });
    expect(await storedTransaction(store(), prepared.transaction.gid)).toMatchObject({ status: "submitted", owner: "", wake: 0 });
  });

  test("whoever owns the prepared one keeps it, and is told by wake (R5)", async () => {
    const prepared = tcc({ owner: "here:7" });
    const { gid } = prepared.transaction;
    await store().create(prepared);
    const asked = { ...prepared, transaction: { ...prepared.transaction, status: "submitted" as const, owner } };
    expect(await store().submit(asked)).toMatchObject({ kind: "moved", leased: false });
    expect(await storedTransaction(store(), gid)).toMatchObject({ status: "submitted", owner: "here:7", wake: 1 });
  });

  test("the back-off and what it waited for are forgotten", async () => {
    const prepared = tcc();
    const { gid } = prepared.transaction;
    await store().create({ ...prepared, transaction: { ...prepared.transaction, owner: "here:3" } });
    await store().rest(gid, {
      owner: "here:3",
      status: "prepared",
      wake: 0,
      at: NOW,
      nextCronTime: NOW,
      nextCronInterval: 40,
      attempts: 3,
      refusals: 2,
      waitingOn: "http://down",
      results: [],
    });
    await store().submit({ ...prepared, transaction: { ...prepared.transaction, status: "submitted", owner } });
    expect(await storedTransaction(store(), gid)).toMatchObject({ attempts: 0, refusals: 2, waitingOn: "", owner });
    expect(await store().claimWaiting("http://down", { owner: "here:4", limit: 9, now: NOW })).toEqual([]);
  });

  test.each(["submitted", "aborting", "succeed", "failed"] as const)("a %s one is left alone", async (status) => {
    const given = saga({ status, customData: "first" });
    await store().create(given);
    const again = await store().submit(saga({ gid: given.transaction.gid, owner, customData: "second" }));
    expect(again.kind === "exists" && plain(again.current)).toEqual(plain(given));
    expect(await stored(store(), given.transaction.gid)).toEqual(plain(given));
  });

  test("of many parallel submits one creates, or one moves", async () => {
    const fresh = newGid();
    const created = await Promise.all(Array.from({ length: 32 }, () => store().submit(saga({ gid: fresh }))));
    expect(created.filter(({ kind }) => kind === "created")).toHaveLength(1);
    const prepared = tcc();
    await store().create(prepared);
    const asked = { ...prepared, transaction: { ...prepared.transaction, status: "submitted" as const } };
    const moved = await Promise.all(Array.from({ length: 32 }, () => store().submit(asked)));
    expect(moved.filter(({ kind }) => kind === "moved")).toHaveLength(1);
    expect(moved.filter(({ kind }) => kind === "exists")).toHaveLength(31);
  });
}
