import { Barrier, type BranchCall, judge, type Verdict } from "./barrier.js";
import { openDatabase } from "./database.js";

describe("judge", () => {
  const cases: readonly (readonly [op: string, origin: boolean, own: boolean, verdict: Verdict, why: string])[] = [
    ["action", false, true, "run", "the first call works"],
    ["action", false, false, "skip", "a repeat, or its compensation came first"],
    ["compensate", false, true, "run", "the action ran, now it is undone"],
    ["compensate", true, true, "skip", "the action never arrived"],
    ["compensate", false, false, "skip", "a repeat"],
    ["compensate", true, false, "skip", "can't happen, and must still do nothing"],
    ["try", false, true, "run", "the first call works"],
    ["try", false, false, "skip", "hanging: the cancel came first"],
    ["confirm", false, true, "run", "confirm has no origin"],
    ["confirm", false, false, "skip", "a repeat"],
    ["cancel", false, true, "run", "the try ran"],
    ["cancel", true, true, "skip", "the try never arrived"],
    ["rollback", true, true, "skip", "the action never arrived"],
    ["commit", false, true, "run", "commit has no origin"],
    ["msg", false, true, "run", "the local part of a message"],
    ["msg", false, false, "reject", "query-prepared came first: the sender must know"],
  ];
  test.each(cases)("%s origin=%s own=%s is %s: %s", (op, origin, own, verdict) => {
    expect(judge(op, { origin, own })).toBe(verdict);
  });
});

describe("in a database", () => {
  const call = (op: string, gid = "g"): BranchCall => ({ transType: "saga", gid, branchId: "01", op });

  let database: ReturnType<typeof openDatabase>;
  afterEach(() => database.close());

  function open() {
    database = openDatabase(":memory:");
    const barrier = new Barrier(database);
    const done: string[] = [];
    return { barrier, done, run: (op: string) => barrier.guard(call(op), () => void done.push(op)) };
  }

  test("a duplicate runs once", () => {
    const { done, run } = open();
    expect([run("action"), run("action"), run("action")]).toEqual(["run", "skip", "skip"]);
    expect(done).toEqual(["action"]);
  });

  test("an action and its undo run once each, whatever is repeated", () => {
    const { done, run } = open();
    for (const op of ["action", "compensate", "action", "compensate"]) run(op);
    expect(done).toEqual(["action", "compensate"]);
  });

  test("a null compensation does nothing, and the action that comes late (hanging) does nothing either", () => {
    const { done, run } = open();
    expect([run("compensate"), run("action"), run("compensate")]).toEqual(["skip", "skip", "skip"]);
    expect(done).toEqual([]);
  });

  test("tcc: cancel before try", () => {
    const { done, run } = open();
    expect([run("cancel"), run("try")]).toEqual(["skip", "skip"]);
    expect(done).toEqual([]);
  });

  test("work that throws leaves no row: its repeat runs, its undo doesn't", () => {
    const { barrier, done, run } = open();
    const refuse = () =>
      barrier.guard(call("action"), () => {
        throw new Error("no");
      });
    expect(refuse).toThrow("no");
    expect(refuse).toThrow("no");
    expect(run("compensate")).toBe("skip");
    expect(done).toEqual([]);
  });

  test("other branches and other transactions don't count", () => {
    const { barrier, done } = open();
    const work = () => void done.push("x");
    barrier.guard(call("action", "g1"), work);
    barrier.guard(call("action", "g2"), work);
    barrier.guard({ ...call("action", "g1"), branchId: "02" }, work);
    expect(done).toHaveLength(3);
  });

  test("a message that was asked for first is never sent", () => {
    const { barrier, done } = open();
    const local: BranchCall = { transType: "msg", gid: "m", branchId: "00", op: "msg" };
    expect(barrier.committed(local)).toBe(false);
    expect(barrier.guard(local, () => void done.push("sent"))).toBe("reject");
    expect(barrier.committed(local)).toBe(false);
    expect(done).toEqual([]);
  });

  test("a message that was sent stays sent", () => {
    const { barrier, done } = open();
    const local: BranchCall = { transType: "msg", gid: "m", branchId: "00", op: "msg" };
    expect(barrier.guard(local, () => void done.push("sent"))).toBe("run");
    expect(barrier.committed(local)).toBe(true);
    expect(barrier.guard(local, () => void done.push("again"))).toBe("reject");
    expect(barrier.committed(local)).toBe(true);
    expect(done).toEqual(["sent"]);
  });
});
