import { StartError } from "../service.js";
import { StoreUnavailable } from "../stores/store.js";
import { explain, explainStop } from "./explain.js";

const BUG = new TypeError("x is undefined");
const AWAY = new StoreUnavailable("Redis can't be reached:\n refused");

test("what the operator can mend is one line", () => {
  expect(explain(new StartError("set\nthis"))).toBe("set this");
  expect(explain(AWAY)).toBe("the store can't be used: Redis can't be reached: refused");
  expect(explain(new AggregateError([AWAY, new Error("http did not stop in time")], "all"))).toBe(explain(AWAY));
});

test("a bug keeps its stack, whatever else failed after it", () => {
  expect(explain(BUG)).toContain("explain.test");
  expect(explain(new AggregateError([BUG, AWAY], "all"))).toContain("TypeError: x is undefined\n");
});

test("a stop while the store is away is told in words alone", () => {
  expect(explainStop(new AggregateError([AWAY, AWAY], "all"))).toEqual({ why: explain(AWAY) });
  expect(explainStop(new AggregateError([AWAY, BUG], "all"))).toEqual({ why: expect.stringContaining("undefined"), err: BUG });
});
