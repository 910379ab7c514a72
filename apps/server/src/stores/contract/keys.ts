import type { Section } from "./contract.js";
import { NOW, SECOND } from "./fixtures.js";

export function keysContract({ store }: Section): void {
  const entry = (cat: string, key: string, value = `value of ${key}`) => ({ cat, key, value, at: NOW });
  const found = async (cat: string, key: string): Promise<string[]> =>
    (await store().findKeys({ cat, key })).map((kept) => `${kept.cat}/${kept.key}`).sort();

  test("a key is created once, at version 1", async () => {
    expect(await store().createKey(entry("topics", "a"))).toBe("created");
    expect(await store().createKey(entry("topics", "a", "other"))).toBe("exists");
    expect(await store().createKey(entry("else", "a"))).toBe("created");
    const [kept] = await store().findKeys({ cat: "topics", key: "a" });
    expect(kept).toEqual({
      id: expect.any(Number),
      cat: "topics",
      key: "a",
      value: "value of a",
      version: 1,
      createTime: NOW,
      updateTime: NOW,
    });
  });

  test("an update needs the version that is stored, and raises it", async () => {
    await store().createKey(entry("topics", "a"));
    const update = { ...entry("topics", "a", "second"), version: 1, at: NOW + SECOND };
    expect(await store().updateKey(update)).toBe(true);
    expect(await store().updateKey(update)).toBe(false);
    expect(await store().updateKey({ ...update, key: "b" })).toBe(false);
    const [kept] = await store().findKeys({ cat: "topics", key: "a" });
    expect(kept).toMatchObject({ value: "second", version: 2, createTime: NOW, updateTime: NOW + SECOND });
  });

  test("of many updates from one version, one wins", async () => {
    await store().createKey(entry("topics", "a"));
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, place) => store().updateKey({ ...entry("topics", "a", String(place)), version: 1 })),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
    const [kept] = await store().findKeys({ cat: "topics", key: "a" });
    expect(kept).toMatchObject({ value: String(answers.indexOf(true)), version: 2 });
  });

  test("a deleted key is gone and may be created again, at version 1", async () => {
    await store().createKey(entry("topics", "a"));
    expect(await store().deleteKey("topics", "a")).toBe(true);
    expect(await store().deleteKey("topics", "a")).toBe(false);
    expect(await store().findKeys({ cat: "topics", key: "a" })).toEqual([]);
    expect(await store().createKey(entry("topics", "a"))).toBe("created");
    expect((await store().findKeys({ cat: "topics", key: "a" }))[0]?.version).toBe(1);
  });

  test("a key that differs only by case, or by a space at the end, is another one", async () => {
    await store().createKey(entry("topics", "Orders"));
    for (const other of ["orders", "Orders "]) {
      expect(await store().deleteKey("topics", other)).toBe(false);
      expect(await store().updateKey({ ...entry("topics", other), value: "changed", version: 1 })).toBe(false);
    }
    expect(await store().findKeys({ cat: "topics", key: "Orders" })).toMatchObject([{ key: "Orders", version: 1 }]);
    expect(await store().deleteKey("topics", "Orders")).toBe(true);
  });

  test("empty filters find everything", async () => {
    for (const [cat, key] of [
      ["topics", "a"],
      ["topics", "b"],
      ["else", "a"],
    ] as const)
      await store().createKey(entry(cat, key));
    expect(await found("topics", "")).toEqual(["topics/a", "topics/b"]);
    expect(await found("", "a")).toEqual(["else/a", "topics/a"]);
    expect(await found("", "")).toEqual(["else/a", "topics/a", "topics/b"]);
    expect(await found("topics", "c")).toEqual([]);
  });

  test("a scan goes newest first, by pages", async () => {
    for (const key of ["a", "b", "c"]) await store().createKey(entry("topics", key));
    await store().createKey(entry("else", "d"));
    const first = await store().scanKeys({ cat: "topics", position: "", limit: 2 });
    expect(first.entries.map((kept) => kept.key)).toEqual(["c", "b"]);
    const second = await store().scanKeys({ cat: "topics", position: first.nextPosition, limit: 2 });
    expect(second.entries.map((kept) => kept.key)).toEqual(["a"]);
    expect(second.nextPosition).toBe("");
    expect((await store().scanKeys({ cat: "", position: "", limit: 9 })).entries).toHaveLength(4);
  });

  test("more than one page of keys is found whole (Q11)", async () => {
    await Promise.all(Array.from({ length: 150 }, (_, place) => store().createKey(entry("topics", `topic-${place}`))));
    expect(await store().findKeys({ cat: "topics", key: "" })).toHaveLength(150);
  });
}
