import type { ListFilter } from "../store.js";
import type { Section } from "./contract.js";
import { NOW, plainTransaction, SECOND, saga, transaction } from "./fixtures.js";

export function listContract({ store }: Section): void {
  const create = async (overrides: Parameters<typeof transaction>[0]): Promise<void> => {
    await store().create({ transaction: transaction(overrides), branches: [] });
  };
  const all = async (filter: Omit<ListFilter, "limit" | "position">, limit = 2): Promise<string[]> => {
    const gids: string[] = [];
    let position = "";
    do {
      const page = await store().list({ ...filter, limit, position });
      expect(page.transactions.length).toBeLessThanOrEqual(limit);
      gids.push(...page.transactions.map((found) => found.gid));
      position = page.nextPosition;
    } while (position !== "");
    return gids;
  };

  test("an empty store has an empty page", async () => {
    expect(await store().list({ limit: 10 })).toEqual({ transactions: [], nextPosition: "" });
  });

  test("newest first, by pages, each once; the last page says so", async () => {
    const gids = ["a", "b", "c", "d", "e"];
    for (const gid of gids) await create({ gid });
    expect(await all({})).toEqual([...gids].reverse());
    expect(await all({}, 5)).toEqual([...gids].reverse());
    expect(await all({}, 1)).toEqual([...gids].reverse());
    expect((await store().list({ limit: 5 })).nextPosition).toBe("");
  });

  test("a page begun isn't disturbed by what comes meanwhile", async () => {
    for (const gid of ["a", "b", "c"]) await create({ gid });
    const first = await store().list({ limit: 2 });
    await create({ gid: "d" });
    const second = await store().list({ limit: 2, position: first.nextPosition });
    expect([...first.transactions, ...second.transactions].map((found) => found.gid)).toEqual(["c", "b", "a"]);
  });

  test("a row is listed whole", async () => {
    const given = saga({
      options: { ...transaction().options, waitResult: true, branchHeaders: { a: "b" } },
      customData: "{}",
      submitTime: NOW,
      attempts: 2,
      refusals: 1,
      wake: 3,
      waitingOn: "http://down",
      owner: "here:1",
      result: "r",
      rollbackReason: "why",
      nextCronInterval: 20,
    });
    await store().create(given);
    const [found] = (await store().list({ limit: 1 })).transactions;
    expect(found && plainTransaction(found)).toEqual(plainTransaction(given.transaction));
    expect(found?.id).toBe((await store().find(given.transaction.gid))?.transaction.id);
  });

  test("filters by status and type, as they are now", async () => {
    await create({ gid: "a", type: "saga" });
    await create({ gid: "b", type: "msg", status: "prepared" });
    await create({ gid: "c", type: "saga", status: "succeed" });
    await create({ gid: "d", type: "saga" });
    await store().change("d", { from: ["submitted"], to: "failed", at: NOW, owner: "" });
    expect(await all({ status: "submitted" })).toEqual(["a"]);
    expect(await all({ status: "failed" })).toEqual(["d"]);
    expect(await all({ type: "saga" })).toEqual(["d", "c", "a"]);
    expect(await all({ type: "saga", status: "succeed" })).toEqual(["c"]);
    expect(await all({ type: "tcc" })).toEqual([]);
  });

  test("filters by create time, both ends included", async () => {
    for (const [place, gid] of ["a", "b", "c", "d"].entries()) await create({ gid, createTime: NOW + place * SECOND });
    expect(await all({ createdFrom: NOW + SECOND })).toEqual(["d", "c", "b"]);
    expect(await all({ createdTo: NOW + SECOND })).toEqual(["b", "a"]);
    expect(await all({ createdFrom: NOW + SECOND, createdTo: NOW + 2 * SECOND })).toEqual(["c", "b"]);
    expect(await all({ createdFrom: NOW + 9 * SECOND })).toEqual([]);
    expect(await all({ createdTo: 1e15, createdFrom: 0 })).toHaveLength(4);
  });

  test("filters by the beginning of the gid, letter by letter, wildcards being letters", async () => {
    for (const gid of ["ab1", "aB2", "ab%", "ab_", "ac", "a", "ü1", "😀1", "zab1"]) await create({ gid });
    expect(await all({ gidPrefix: "ab" })).toEqual(["ab_", "ab%", "ab1"]);
    expect(await all({ gidPrefix: "ab%" })).toEqual(["ab%"]);
    expect(await all({ gidPrefix: "ab_" })).toEqual(["ab_"]);
    expect(await all({ gidPrefix: "ü" })).toEqual(["ü1"]);
    expect(await all({ gidPrefix: "😀" })).toEqual(["😀1"]);
    expect(await all({ gidPrefix: "b" })).toEqual([]);
    expect(await all({ gidPrefix: "" })).toHaveLength(9);
  });
}
