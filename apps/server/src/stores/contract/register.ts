import type { Section } from "./contract.js";
import { branch, NOW, newGid, plainBranch, saga, statuses, storedTransaction, tcc } from "./fixtures.js";

export function registerContract({ store }: Section): void {
  test("branches are added in order while the global is prepared, and nothing else changes", async () => {
    const given = tcc();
    const { gid } = given.transaction;
    await store().create(given);
    const first = [branch(gid, "01", "cancel"), branch(gid, "01", "confirm")];
    const second = [branch(gid, "02", "action", { status: "succeed", finishTime: NOW, url: "" })];
    expect(await store().registerBranches(gid, first)).toBe("registered");
    expect(await store().registerBranches(gid, second)).toBe("registered");
    const found = await store().find(gid);
    expect(found?.branches.map(plainBranch)).toEqual([...first, ...second].map(plainBranch));
    expect(await storedTransaction(store(), gid)).toMatchObject({ updateTime: NOW, wake: 0, status: "prepared" });
  });

  test("one known branch among them refuses them all", async () => {
    const given = tcc();
    const { gid } = given.transaction;
    await store().create(given);
    await store().registerBranches(gid, [branch(gid, "01", "confirm", { url: "first" })]);
    const more = [branch(gid, "02", "confirm"), branch(gid, "01", "confirm", { url: "second" })];
    expect(await store().registerBranches(gid, more)).toBe("duplicate");
    const twice = [branch(gid, "03", "confirm"), branch(gid, "03", "confirm")];
    expect(await store().registerBranches(gid, twice)).toBe("duplicate");
    const found = await store().find(gid);
    expect(found?.branches.map((row) => row.url)).toEqual(["first"]);
  });

  test("that also holds for more branches than one statement takes", async () => {
    const given = tcc();
    const { gid } = given.transaction;
    await store().create(given);
    const many = Array.from({ length: 120 }, (_, place) => branch(gid, String(place), "confirm"));
    expect(await store().registerBranches(gid, [...many, branch(gid, "7", "confirm")])).toBe("duplicate");
    expect(await statuses(store(), gid)).toEqual([]);
    expect(await store().registerBranches(gid, many)).toBe("registered");
    expect(await statuses(store(), gid)).toHaveLength(120);
  });

  test.each(["submitted", "aborting", "succeed", "failed"] as const)("a %s global takes no branch", async (status) => {
    const given = saga({ status });
    const { gid } = given.transaction;
    await store().create(given);
    expect(await store().registerBranches(gid, [branch(gid, "09", "confirm")])).toBe("not-prepared");
    expect(await statuses(store(), gid)).toHaveLength(4);
  });

  test("an unknown global takes no branch", async () => {
    const gid = newGid();
    expect(await store().registerBranches(gid, [branch(gid, "01", "confirm")])).toBe("not-prepared");
    expect(await store().find(gid)).toBeNull();
  });

  test("against a submit at the same moment, a registered branch is one that the submit sees", async () => {
    for (let round = 0; round < 10; round++) {
      const given = tcc();
      const { gid } = given.transaction;
      await store().create(given);
      const register = store().registerBranches(gid, [branch(gid, "01", "confirm")]);
      const submit = store().submit({ ...given, transaction: { ...given.transaction, status: "submitted" } });
      const [registered, submitted] = await Promise.all([register, submit]);
      if (submitted.kind !== "moved") throw new Error(`expected moved, found ${submitted.kind}`);
      expect(submitted.loaded.branches).toHaveLength(registered === "registered" ? 1 : 0);
      expect(await statuses(store(), gid)).toHaveLength(submitted.loaded.branches.length);
    }
  });
}
