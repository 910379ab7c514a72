import type { Branch } from "@dtm/protocol";
import { barrierId, decide, type Guard, settle } from "./barrier.js";
import { BranchCall, runInBranch } from "./context.js";
import { barrier } from "./pg.js";

const PARTS: Branch = { gid: "g", transType: "saga", branchId: "01", op: "action" };
const NEW = { origin: false, own: true };
const SEEN = { origin: false, own: false };
const withCode = (code: string) => expect.objectContaining({ code });

describe("the guard of a local transaction", () => {
  test("takes the branch from the options before the handler's", () => {
    const branch = new BranchCall({ ...PARTS, gid: "around" });
    expect(runInBranch(branch, () => settle()).branch.gid).toBe("around");
    expect(runInBranch(branch, () => settle({ branch: PARTS })).branch.gid).toBe("g");
    expect(() => settle()).toThrow(withCode("NOT_IN_BRANCH"));
  });

  test.each([null, 1, "x"])("%p as the options is refused, by whatever takes them", async (options) => {
    const given = (method: (...given: never) => unknown, ...before: unknown[]): unknown =>
      Reflect.apply(method, barrier, [...before, options]);
    expect(() => Reflect.apply(settle, undefined, [options])).toThrow(withCode("OPTION_INVALID"));
    await expect(given(barrier.run, {}, () => 1)).rejects.toThrow(withCode("OPTION_INVALID"));
    await expect(given(barrier.transaction, {}, () => 1)).rejects.toThrow(withCode("OPTION_INVALID"));
    await expect(given(barrier.queryPrepared, {})).rejects.toThrow(withCode("OPTION_INVALID"));
  });

  test.each([1, "", "x", {}, [], true, Symbol("s"), new Date()])("%p as the branch is refused", async (branch) => {
    const client = { query: () => undefined, connect: () => undefined, escapeIdentifier: () => "" };
    const run = Reflect.apply(barrier.run, barrier, [client, () => 1, { branch }] as never);
    await expect(run).rejects.toThrow(withCode("BRANCH_INVALID"));
  });

  test("ids are written as Go's SDK writes them", () => {
    expect([barrierId(), barrierId(1), barrierId(2), barrierId(99)]).toEqual(["01", "01", "02", "99"]);
    for (const wrong of [0, 100, 1.5, -1, Number.NaN, "02", null, {}]) {
      expect(() => barrierId(wrong)).toThrow(withCode("OPTION_INVALID"));
    }
  });

  test("a message is decided by one local transaction, so it has no second id", () => {
    const branch = { ...PARTS, branchId: "00", op: "msg", transType: "msg" };
    expect(settle({ branch, id: 1 }).id).toBe("01");
    expect(() => settle({ branch, id: 2 })).toThrow(withCode("OPTION_INVALID"));
  });

  test("what a column would cut off is refused: two branches would share a row", () => {
    expect(settle({ branch: { ...PARTS, gid: "g".repeat(128), op: "o".repeat(45) } }).id).toBe("01");
    expect(settle({ branch: { ...PARTS, gid: "😀".repeat(128) } }).id).toBe("01");
    for (const wrong of [
      { gid: "g".repeat(129) },
      { branchId: "b".repeat(129) },
      { op: "o".repeat(46) },
      { transType: "t".repeat(46) },
    ]) {
      expect(() => settle({ branch: { ...PARTS, ...wrong } })).toThrow(withCode("BRANCH_INVALID"));
    }
    for (const part of ["gid", "branchId", "op", "transType"]) {
      for (const wrong of ["", undefined, null, 7]) {
        expect(() => settle({ branch: { ...PARTS, [part]: wrong } as Branch })).toThrow(withCode("BRANCH_INVALID"));
      }
    }
  });
});

describe("one id for one local transaction", () => {
  const guard = (branch: Branch, id = 1): Guard => settle({ branch, id });

  test.each([
    ["a call", () => new BranchCall(PARTS)],
    ["a branch made by hand", () => ({ ...PARTS })],
  ])("in %s: a retry after a rollback may use it again, another transaction may not", (_name, make) => {
    const branch = make();
    expect(decide(guard(branch), "pg t", NEW)).toBe("run");
    expect(decide(guard(branch), "pg t", NEW)).toBe("run");
    expect(() => decide(guard(branch), "pg t", SEEN)).toThrow(withCode("BARRIER_ID_REUSED"));
    expect(decide(guard(branch, 2), "pg t", SEEN)).toBe("skip");
    expect(decide(guard(branch), "pg another table", SEEN)).toBe("skip");
  });

  test("also when the call is a repeated one: both transactions find their row, and the second's was never its own", () => {
    const branch = new BranchCall(PARTS);
    expect(decide(guard(branch), "pg t", SEEN)).toBe("skip");
    expect(() => decide(guard(branch), "pg t", SEEN)).toThrow(withCode("BARRIER_ID_REUSED"));
  });

  test("a repeated delivery is another call", () => {
    expect(decide(guard(new BranchCall(PARTS)), "pg t", NEW)).toBe("run");
    expect(decide(guard(new BranchCall(PARTS)), "pg t", SEEN)).toBe("skip");
  });

  test("an empty compensation that was rolled back may be tried again", () => {
    const branch = new BranchCall({ ...PARTS, op: "compensate" });
    expect(decide(guard(branch), "pg t", { origin: true, own: true })).toBe("skip");
    expect(decide(guard(branch), "pg t", { origin: true, own: true })).toBe("skip");
  });

  test("a message that was decided before is an error, so that its transaction is rolled back", () => {
    const branch = new BranchCall({ ...PARTS, branchId: "00", op: "msg", transType: "msg" });
    expect(() => decide(guard(branch), "pg t", SEEN)).toThrow(withCode("DUPLICATED"));
    expect(() => decide(guard(branch), "pg t", SEEN)).toThrow(withCode("DUPLICATED"));
  });

  test("a call that another copy of the package made is remembered all the same", () => {
    jest.resetModules();
    const other = require("./context.js") as typeof import("./context.js");
    const branch = new other.BranchCall(PARTS);
    expect(decide(guard(branch), "pg t", NEW)).toBe("run");
    expect(() => decide(guard(branch), "pg t", SEEN)).toThrow(withCode("BARRIER_ID_REUSED"));
  });
});
