import { hostsFrom } from "./hosts.js";
import { byOrder, candidate, Keys, padded, SHARDS, shardOf } from "./keys.js";
import { slotOf } from "./topology.js";

test("a gid's shard never changes: data is stored under it", () => {
  expect(shardOf("a")).toBe(44);
  expect(shardOf("hand1")).toBe(3);
  expect(new Set(Array.from({ length: 2_000 }, (_, place) => shardOf(`g${place}`))).size).toBe(SHARDS);
});

test("the braces hold the shard, whatever the gid holds", () => {
  const keys = new Keys("dtm");
  expect(keys.row("a")).toBe("{dtm:44}:t:a");
  expect(keys.row("{x}")).toMatch(/^\{dtm:\d+\}:t:\{x\}$/);
  expect(keys.index(3)).toBe("{dtm:3}:index");
});

test("slots are those that every Cluster computes", () => {
  // CLUSTER KEYSLOT of the same names.
  expect(slotOf("123456789")).toBe(12_739);
  expect(slotOf("foo")).toBe(12_182);
});

test("padded numbers order as numbers do", () => {
  const numbers = [0, 9, 10, 1_767_323_045_000, Number.MAX_SAFE_INTEGER];
  expect(numbers.map(padded).sort()).toEqual(numbers.map(padded));
  expect(padded(-5)).toBe(padded(0));
});

test("candidates go by urgency, due time and age", () => {
  const text = (urgency: number, due: number, id: number, gid: string): string => `${urgency}${padded(due)}${padded(id)}${gid}`;
  const all = [text(1, 5, 1, "late"), text(0, 9, 4, "undo"), text(1, 4, 3, "younger"), text(1, 4, 2, "older")];
  const sorted = all.map((one) => candidate(one, 7)).sort(byOrder);
  expect(sorted.map(({ gid }) => gid)).toEqual(["undo", "older", "younger", "late"]);
  expect(sorted[1]).toMatchObject({ shard: 7, due: 4 });
});

test.each([
  ["h", [{ host: "h", port: 6379 }]],
  ["h:1", [{ host: "h", port: 1 }]],
  [
    " h:1 , i ,",
    [
      { host: "h", port: 1 },
      { host: "i", port: 6379 },
    ],
  ],
  ["[::1]:7", [{ host: "::1", port: 7 }]],
  ["::1", [{ host: "::1", port: 6379 }]],
  ["", []],
])("hosts in %j", (text, hosts) => {
  expect(hostsFrom(text, 6379)).toEqual(hosts);
});
