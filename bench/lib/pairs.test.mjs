import assert from "node:assert/strict";
import { test } from "node:test";
import { ratioOf } from "./pairs.mjs";

const runs = (...rates) => rates.map((perSecond) => ({ perSecond }));

test("a machine that is slow for a while changes both of a pair, and no ratio", () => {
  assert.deepEqual(ratioOf(runs(300, 150, 300), runs(100, 50, 100), "perSecond"), { median: 3, from: 3, to: 3 });
});

test("the median of the pairs stands beside their middle half", () => {
  const found = ratioOf(runs(100, 200, 300, 400), runs(100, 100, 100, 100), "perSecond");
  assert.deepEqual(found, { median: 2.5, from: 1, to: 3 });
});

test("runs without a partner are refused", () => {
  assert.throws(() => ratioOf(runs(1, 2), runs(1), "perSecond"), /2 runs can't be paired with 1/);
});
