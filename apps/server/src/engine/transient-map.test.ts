import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TransientMap } from "./transient-map.js";

test("keeps what is set until it is deleted, whatever the key looks like", () => {
  const map = new TransientMap<string | number, number>();
  const keys = ["__proto__", "constructor", "hasOwnProperty", "", "7", "007", "-1", "a b"];
  for (const [at, key] of keys.entries()) map.set(key, at);
  expect(keys.map((key) => map.get(key))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(map.size).toBe(8);
  map.set("__proto__", 8);
  expect(map.size).toBe(8);
  expect(map.values().sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect([map.has("toString"), map.get("toString"), map.delete("toString")]).toEqual([false, undefined, false]);
  expect([map.delete("__proto__"), map.delete("__proto__"), map.has("__proto__"), map.size]).toEqual([true, false, false, 7]);
});

test("holds what is undefined, too", () => {
  const map = new TransientMap<string, undefined>();
  map.set("a", undefined);
  expect([map.has("a"), map.size, map.delete("a"), map.size]).toEqual([true, 1, true, 0]);
});

/** Bytes that reach the old generation while 20,000 entries of about 500 bytes pass, 64 at a time. */
function promotedBy(map: { set(key: string, value: object): unknown; delete(key: string): boolean }): number {
  setFlagsFromString("--expose-gc");
  const collect: (options?: { type: "minor" }) => void = runInNewContext("gc");
  const oldBytes = (): number =>
    getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size ?? 0;
  const pass = (from: number, count: number): void => {
    for (let n = from; n < from + count; n++) {
      map.set(
        `gid-${n}`,
        Array.from({ length: 10 }, (_, at) => ({ n, at })),
      );
      map.delete(`gid-${n - 64}`);
      if (n % 500 === 0) collect({ type: "minor" });
    }
  };
  pass(0, 2_000);
  collect();
  const before = oldBytes();
  pass(2_000, 20_000);
  return oldBytes() - before;
}

test("what has passed isn't kept until the old generation is collected, as a Map keeps it", () => {
  const passed = promotedBy(new TransientMap<string, object>());
  const kept = promotedBy(new Map<string, object>());
  expect(passed).toBeLessThan(kept / 4);
});
