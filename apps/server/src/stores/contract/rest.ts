import type { Rest } from "../store.js";
import type { Section } from "./contract.js";
import { NOW, newGid, plain, SECOND, saga, statuses, stored, storedTransaction } from "./fixtures.js";

const AT = NOW + 5 * SECOND;
const owner = "here:1";
const REST: Rest = {
  owner,
  status: "submitted",
  wake: 0,
  at: AT,
  nextCronTime: AT + 20 * SECOND,
  nextCronInterval: 20,
  attempts: 3,
  refusals: 1,
  waitingOn: "http://down/path",
  results: [{ branchId: "01", op: "action", status: "succeed", at: AT }],
};

export function restContract({ store }: Section): void {
  test("schedule, results and the end of the lease are one write (R3)", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    expect(await store().rest(gid, REST)).toEqual({ kind: "done" });
    expect(await storedTransaction(store(), gid)).toMatchObject({
      owner: "",
      status: "submitted",
      updateTime: AT,
      nextCronTime: AT + 20 * SECOND,
      nextCronInterval: 20,
      attempts: 3,
      refusals: 1,
      wake: 0,
      waitingOn: "http://down/path",
    });
    expect(await statuses(store(), gid)).toContain("01 action succeed");
  });

  test("a nudge meanwhile is not overwritten: still owned, nothing rested (R4)", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    await store().nudge(gid, AT);
    const refused = await store().rest(gid, REST);
    expect(refused.kind === "refused" && refused.current?.transaction).toMatchObject({ owner, wake: 1, nextCronTime: AT });
    expect(await statuses(store(), gid)).toContain("01 action prepared");
    expect(await store().rest(gid, { ...REST, wake: 1 })).toEqual({ kind: "done" });
  });

  test.each([
    ["another owner", { owner: "here:2" }],
    ["another status", { status: "aborting" as const }],
    ["a final status", { status: "failed" as const }],
  ])("%s is refused and changes nothing (R1)", async (_, fence) => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const refused = await store().rest(gid, { ...REST, ...fence });
    expect(refused.kind === "refused" && plain(refused.current)).toEqual(plain(given));
    expect(await stored(store(), gid)).toEqual(plain(given));
  });

  test("a forced end in between refuses it, and an unknown gid too", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    await store().change(gid, { from: ["submitted"], to: "failed", at: AT, owner: "" });
    const refused = await store().rest(gid, REST);
    expect(refused.kind === "refused" && refused.current?.transaction.status).toBe("failed");
    expect(await store().rest(newGid(), REST)).toEqual({ kind: "refused", current: null });
  });
}
