import { aBranch, aView, DEFERRED, FAILURE, ONGOING, SUCCESS, show, UNKNOWN, type ViewFields } from "../../test/kit/views.js";
import { tcc } from "./tcc.js";
import type { Branch, BranchStatus } from "./transaction.js";
import { xa } from "./xa.js";

type Case = readonly [given: string, view: Omit<ViewFields, "type">, step: string];

/** As registered: undo before do (Q47); places 0..5 for three branches. */
function rows(back: string, forward: string, done: readonly BranchStatus[], undone: readonly BranchStatus[] = []): Branch[] {
  return done.flatMap((status, index) => {
    const id = `0${index + 1}`;
    return [aBranch(id, back, undone[index] ?? "prepared"), aBranch(id, forward, status)];
  });
}

const tccRows = (done: readonly BranchStatus[], undone: readonly BranchStatus[] = []): Branch[] =>
  rows("cancel", "confirm", done, undone);
const xaRows = (done: readonly BranchStatus[], undone: readonly BranchStatus[] = []): Branch[] =>
  rows("rollback", "commit", done, undone);
const P = "prepared";
const S = "succeed";

const TCC: readonly Case[] = [
  ["confirms from the last to the first", { status: "submitted", branches: tccRows([P, P, P]) }, "call 5"],
  ["goes on backwards", { status: "submitted", branches: tccRows([P, P, S]), answers: { 5: SUCCESS } }, "call 3"],
  ["one at a time", { status: "submitted", branches: tccRows([P, P, P]), inFlight: [5] }, "await"],
  ["all confirmed", { status: "submitted", branches: tccRows([S, S]) }, "move succeed"],
  ["no branches at all (Q20)", { status: "submitted" }, "move succeed"],
  ["cancels from the last to the first", { status: "aborting", branches: tccRows([P, P, P]) }, "call 4"],
  ["all cancelled", { status: "aborting", branches: tccRows([P, P], [S, S]) }, "move failed"],
  ["aborted without branches", { status: "aborting" }, "move failed"],
  [
    "the first that fails ends the drive",
    { status: "submitted", branches: tccRows([P, P]), answers: { 3: UNKNOWN } },
    "rest backOff",
  ],
];

const XA: readonly Case[] = [
  ["commits in registration order", { status: "submitted", branches: xaRows([P, P, P]) }, "call 1"],
  ["goes on forwards", { status: "submitted", branches: xaRows([S, P, P]), answers: { 1: SUCCESS } }, "call 3"],
  ["one at a time", { status: "submitted", branches: xaRows([P, P]), inFlight: [1] }, "await"],
  ["all committed", { status: "submitted", branches: xaRows([S, S]) }, "move succeed"],
  ["rolls back in registration order", { status: "aborting", branches: xaRows([P, P]) }, "call 0"],
  ["all rolled back", { status: "aborting", branches: xaRows([P, P], [S, S]) }, "move failed"],
  [
    "the first that fails ends the drive",
    { status: "aborting", branches: xaRows([P, P]), answers: { 0: UNKNOWN } },
    "rest backOff",
  ],
];

describe("tcc", () => {
  test.each(TCC)("%s", (_given, view, step) => {
    expect(show(tcc(aView({ type: "tcc", ...view })))).toBe(step);
  });
});

describe("xa", () => {
  test.each(XA)("%s", (_given, view, step) => {
    expect(show(xa(aView({ type: "xa", ...view })))).toBe(step);
  });
});

describe.each([
  { type: "tcc", machine: tcc, branches: tccRows([P]) },
  { type: "xa", machine: xa, branches: xaRows([P]) },
] as const)("$type, the same for both", ({ type, machine, branches }) => {
  const step = (view: Omit<ViewFields, "type">): string => show(machine(aView({ type, branches, ...view })));

  test.each([
    ["submitted", 1, "ongoing", ONGOING, "rest keep"],
    ["submitted", 1, "an error", UNKNOWN, "rest backOff"],
    ["submitted", 1, "a refusal, which is an error here", FAILURE, "rest backOff"],
    ["submitted", 1, "a deferral", DEFERRED, "rest defer until 30s"],
    ["aborting", 0, "ongoing", ONGOING, "rest keep"],
    ["aborting", 0, "an error", UNKNOWN, "rest backOff"],
    ["aborting", 0, "a refusal, which is an error here", FAILURE, "rest backOff"],
    ["aborting", 0, "a deferral", DEFERRED, "rest defer until 30s"],
  ] as const)("%s, place %i answers with %s", (status, place, _answer, answer, expected) => {
    expect(step({ status, answers: { [place]: answer } })).toBe(expected);
  });

  test("prepared: nothing is called before the timeout", () => {
    expect(step({ status: "prepared", age: 34.999 })).toBe("rest reset until 35s");
  });

  test("prepared: the client's timeout, not the server's", () => {
    expect(step({ status: "prepared", age: 34, options: { timeoutToFail: 100 } })).toBe("rest reset until 100s");
  });

  test("prepared and timed out: aborts, with the effective seconds (Q18)", () => {
    expect(step({ status: "prepared", age: 35 })).toBe("move aborting: Timeout after 35 seconds");
  });

  test("prepared without any timeout: looked at ever more rarely (R16)", () => {
    expect(step({ status: "prepared", settings: { timeoutToFail: 0 }, age: 1e6 })).toBe("rest backOff");
  });

  test("submitted: the timeout is over for good", () => {
    expect(step({ status: "submitted", age: 1e6 })).toBe("call 1");
  });

  test.each(["succeed", "failed"] as const)("%s: done", (status) => {
    expect(step({ status })).toBe("done");
  });
});
