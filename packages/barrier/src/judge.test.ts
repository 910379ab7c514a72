import { type Inserted, judge, originOp, type Verdict } from "./judge.js";

const NONE: Inserted = { origin: false, own: false };
const OWN: Inserted = { origin: false, own: true };
const BOTH: Inserted = { origin: true, own: true };
const ORIGIN: Inserted = { origin: true, own: false };

/** Every op by every combination of rows; an own row without its origin's can't be found by ops that undo nothing. */
const CASES: readonly (readonly [op: string, inserted: Inserted, verdict: Verdict, why: string])[] = [
  ["action", OWN, "run", "first"],
  ["action", NONE, "skip", "seen before, or undone before it came"],
  ["try", OWN, "run", "first"],
  ["try", NONE, "skip", "seen before, or cancelled before it came"],
  ["confirm", OWN, "run", "first"],
  ["confirm", NONE, "skip", "seen before"],
  ["commit", OWN, "run", "first"],
  ["commit", NONE, "skip", "seen before"],
  ["msg", OWN, "run", "first"],
  ["msg", NONE, "reject", "decided before"],
  ["a workflow's own op", OWN, "run", "first"],
  ["a workflow's own op", NONE, "skip", "seen before"],
  ...["compensate", "cancel", "rollback"].flatMap((op): (typeof CASES)[number][] => [
    [op, OWN, "run", "its origin was here"],
    [op, BOTH, "skip", "its origin never came"],
    [op, NONE, "skip", "seen before"],
    [op, ORIGIN, "skip", "seen before, though somebody deleted the origin's row"],
  ]),
];

describe("judge", () => {
  test.each(CASES)("%s %j: %s (%s)", (op, inserted, verdict) => {
    expect(judge(op, inserted)).toBe(verdict);
  });

  test("only three ops undo something", () => {
    expect(["cancel", "compensate", "rollback"].map(originOp)).toEqual(["try", "action", "action"]);
    for (const op of ["action", "try", "confirm", "commit", "msg", "", "toString", "constructor"])
      expect(originOp(op)).toBeNull();
  });
});
