import type { Section } from "./contract.js";
import { NOW, newGid, plain, SECOND, saga, statuses, stored, storedTransaction } from "./fixtures.js";

const AT = NOW + 5 * SECOND;
const owner = "here:1";
const RESULTS = [
  { branchId: "01", op: "action", status: "succeed", at: AT },
  { branchId: "02", op: "action", status: "failed", at: AT },
] as const;

export function recordContract({ store }: Section): void {
  test("results are settled and the global is touched", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    expect(await store().recordBranches(gid, { owner, status: "submitted" }, RESULTS, AT)).toEqual({ kind: "done" });
    expect(await storedTransaction(store(), gid)).toMatchObject({ updateTime: AT, status: "submitted", owner });
    expect(await statuses(store(), gid)).toEqual([
      "01 compensate prepared",
      "01 action succeed",
      "02 compensate prepared",
      "02 action failed",
    ]);
    const found = await store().find(gid);
    expect(found?.branches[1]).toMatchObject({ finishTime: AT, rollbackTime: null, updateTime: AT });
    expect(found?.branches[3]).toMatchObject({ finishTime: null, rollbackTime: AT, updateTime: AT });
  });

  test("the first answer of a branch stands", async () => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    await store().recordBranches(gid, { owner, status: "submitted" }, RESULTS, AT);
    const contrary = RESULTS.map((result) => ({ ...result, status: result.status === "failed" ? "succeed" : "failed" }) as const);
    expect(await store().recordBranches(gid, { owner, status: "submitted" }, contrary, AT)).toEqual({ kind: "done" });
    expect(await statuses(store(), gid)).toContain("01 action succeed");
    expect(await statuses(store(), gid)).toContain("02 action failed");
  });

  test.each([
    ["another owner", { owner: "here:2", status: "submitted" }],
    ["another status", { owner, status: "prepared" }],
  ] as const)("%s is refused and changes nothing (R1)", async (_, fence) => {
    const given = saga({ owner });
    const { gid } = given.transaction;
    await store().create(given);
    const refused = await store().recordBranches(gid, fence, RESULTS, AT);
    expect(refused.kind === "refused" && plain(refused.current)).toEqual(plain(given));
    expect(await stored(store(), gid)).toEqual(plain(given));
  });

  test("an unknown gid is refused with null", async () => {
    const fence = { owner, status: "submitted" } as const;
    expect(await store().recordBranches(newGid(), fence, RESULTS, AT)).toEqual({ kind: "refused", current: null });
  });
}
