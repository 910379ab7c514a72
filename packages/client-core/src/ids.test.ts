import { BranchIds } from "./branch-ids.js";
import { checkGid, randomGid } from "./gid.js";
import { ordersOf } from "./orders.js";

test("branch ids: two digits below the parent, 99 at most, not below 20 characters", () => {
  const ids = new BranchIds("01");
  expect([ids.next(), ids.next()]).toEqual(["0101", "0102"]);
  const many = new BranchIds("");
  const all = Array.from({ length: 99 }, () => many.next());
  expect(all.at(-1)).toBe("99");
  expect(() => many.next()).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(new BranchIds("1".repeat(18)).next()).toBe(`${"1".repeat(18)}01`);
  expect(() => new BranchIds("1".repeat(20)).next()).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("a gid made here looks like one of the coordinator's", () => {
  const gids = new Set(Array.from({ length: 100 }, randomGid));
  expect(gids.size).toBe(100);
  for (const gid of gids) expect(gid).toMatch(/^[2-9A-HJ-NP-Za-km-z]{22}$/);
});

test.each(["", "a;b", "a\nb", "a\0b", "order-7 ", "x".repeat(129), 5, null, undefined])(
  "a gid that would be lost is refused: %p",
  (gid) => {
    expect(() => checkGid(gid)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  },
);

describe("orders", () => {
  const step = (after: (number | string)[] = [], name?: string) => ({ after, name });

  test("names and indices become indices, each once", () => {
    expect(ordersOf([step([], "a"), step(["a", 0]), step([0, 1])])).toEqual({ "1": [0], "2": [0, 1] });
    expect(ordersOf([step(), step()])).toEqual({});
  });

  test.each([
    ["an unknown name", [step(["b"])], 'the name or index of a step (0 to 0), found "b"'],
    ["beyond the end", [step([1])], "found 1"],
    ["before the start", [step(), step([-1])], "found -1"],
    ["a fraction", [step(), step([0.5])], "found 0.5"],
    ["itself", [step([0])], "found itself"],
    ["a name twice", [step([], "a"), step([], "a")], "a second time"],
    ["a cycle", [step([1]), step([0])], "a cycle among the steps 0, 1"],
    ["a longer cycle beside a step without", [step(), step([3]), step([1]), step([2, 0])], "a cycle among the steps 1, 2, 3"],
  ])("refused: %s", (_, steps, message) => {
    expect(() => ordersOf(steps)).toThrow(
      expect.objectContaining({ code: "STEP_INVALID", message: expect.stringContaining(message) as unknown }),
    );
  });
});
