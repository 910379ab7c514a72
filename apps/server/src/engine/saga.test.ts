import {
  aBranch,
  aView,
  DEFERRED,
  FAILURE,
  ONGOING,
  SUCCESS,
  sagaRows,
  show,
  UNKNOWN,
  type ViewFields,
} from "../../test/kit/views.js";
import { saga } from "./saga.js";

type Case = readonly [given: string, view: Omit<ViewFields, "type" | "status">, step: string];

const CONCURRENT = JSON.stringify({ concurrent: true });
const orders = (map: Record<number, readonly number[]>): string => JSON.stringify({ concurrent: true, orders: map });

// Row 2k is the compensation of step k, row 2k+1 its action.
const FORWARD: readonly Case[] = [
  ["nothing called", { branches: sagaRows("prepared", "prepared") }, "call 1"],
  ["step 0 in flight", { branches: sagaRows("prepared", "prepared"), inFlight: [1] }, "await"],
  ["step 0 succeeded", { branches: sagaRows("succeed", "prepared"), answers: { 1: SUCCESS } }, "call 3"],
  ["all succeeded", { branches: sagaRows("succeed", "succeed") }, "move succeed"],
  ["no steps at all", { branches: [] }, "move succeed"],
  [
    "refused in this drive",
    { branches: sagaRows("succeed", "failed"), answers: { 3: FAILURE } },
    "move aborting: url:/action/02 return failed: no stock FAILURE",
  ],
  [
    "refused before a crash, text lost",
    { branches: sagaRows("succeed", "failed", "prepared") },
    "move aborting: fail message lost",
  ],
  ["ongoing", { branches: sagaRows("prepared"), answers: { 1: ONGOING } }, "rest keep"],
  ["temporary error", { branches: sagaRows("prepared"), answers: { 1: UNKNOWN } }, "rest backOff"],
  ["not sent for want of a slot", { branches: sagaRows("prepared"), answers: { 1: DEFERRED } }, "rest defer until 30s"],
  ["a saga without a timeout never times out", { branches: sagaRows("prepared"), age: 1_000_000 }, "call 1"],
  [
    "own timeout passed",
    { branches: sagaRows("succeed", "prepared"), options: { timeoutToFail: 7 }, age: 7 },
    "move aborting: Timeout after 7 seconds",
  ],
  [
    "the server's timeout passed (Q18)",
    { branches: sagaRows("prepared"), settings: { timeoutToFail: 20 }, age: 20 },
    "move aborting: Timeout after 20 seconds",
  ],
  ["just before the timeout", { branches: sagaRows("prepared"), options: { timeoutToFail: 7 }, age: 6.999 }, "call 1"],
  [
    "in flight with a timeout: woken when it passes",
    { branches: sagaRows("prepared"), options: { timeoutToFail: 7 }, inFlight: [1] },
    "await until 7s",
  ],
  [
    "timed out in flight: turns at once, R10 keeps its undo back",
    { branches: sagaRows("prepared"), options: { timeoutToFail: 7 }, inFlight: [1], age: 8 },
    "move aborting: Timeout after 7 seconds",
  ],
  [
    "all succeeded though the timeout passed",
    { branches: sagaRows("succeed"), options: { timeoutToFail: 7 }, age: 8 },
    "move succeed",
  ],
  [
    "a refusal is named before the timeout",
    { branches: sagaRows("failed"), options: { timeoutToFail: 7 }, answers: { 1: FAILURE }, age: 8 },
    "move aborting: url:/action/01 return failed: no stock FAILURE",
  ],
];

const CONCURRENTLY: readonly Case[] = [
  [
    "without orders all start at once",
    { branches: sagaRows("prepared", "prepared", "prepared"), customData: CONCURRENT },
    "call 1 3 5",
  ],
  [
    "orders hold a step back",
    { branches: sagaRows("prepared", "prepared", "prepared"), customData: orders({ 2: [0, 1] }) },
    "call 1 3",
  ],
  [
    "one of two predecessors is not enough",
    {
      branches: sagaRows("succeed", "prepared", "prepared"),
      customData: orders({ 2: [0, 1] }),
      answers: { 1: SUCCESS },
      inFlight: [3],
    },
    "await",
  ],
  [
    "all predecessors succeeded",
    {
      branches: sagaRows("succeed", "succeed", "prepared"),
      customData: orders({ 2: [0, 1] }),
      answers: { 1: SUCCESS, 3: SUCCESS },
    },
    "call 5",
  ],
  [
    "ongoing and a temporary error back off together",
    { branches: sagaRows("prepared", "prepared"), customData: CONCURRENT, answers: { 1: ONGOING, 3: UNKNOWN } },
    "rest backOff",
  ],
  [
    "a refusal turns it while others are in flight",
    { branches: sagaRows("prepared", "failed"), customData: CONCURRENT, answers: { 3: FAILURE }, inFlight: [1] },
    "move aborting: url:/action/02 return failed: no stock FAILURE",
  ],
  [
    "a type's concurrency holds calls back",
    { branches: sagaRows("prepared", "prepared", "prepared"), customData: CONCURRENT, settings: { concurrency: 2 } },
    "call 1 3",
  ],
  [
    "at its concurrency it waits",
    {
      branches: sagaRows("prepared", "prepared", "prepared"),
      customData: CONCURRENT,
      settings: { concurrency: 2 },
      inFlight: [1, 3],
    },
    "await",
  ],
  [
    "at its concurrency it still sees its timeout",
    {
      branches: sagaRows("prepared", "prepared"),
      customData: CONCURRENT,
      settings: { concurrency: 1 },
      options: { timeoutToFail: 7 },
      inFlight: [1],
    },
    "await until 7s",
  ],
];

const LIMIT = "RetryCount is greater than RetryLimit, RetryLimit: 2";
const RETRIES: readonly Case[] = [
  [
    "an error is repeated at once",
    { branches: sagaRows("prepared"), options: { retryLimit: 2 }, answers: { 1: UNKNOWN } },
    "call 1",
  ],
  ["so is ongoing", { branches: sagaRows("prepared"), options: { retryLimit: 2 }, answers: { 1: ONGOING } }, "call 1"],
  [
    "the last repetition",
    { branches: sagaRows("prepared"), options: { retryLimit: 2 }, answers: { 1: UNKNOWN }, retries: 1 },
    "call 1",
  ],
  [
    "exhausted",
    { branches: sagaRows("prepared"), options: { retryLimit: 2 }, answers: { 1: UNKNOWN }, retries: 2 },
    `move aborting: ${LIMIT}`,
  ],
  [
    "the server's limit counts where the transaction has none",
    { branches: sagaRows("prepared"), settings: { retryLimit: 2 }, answers: { 1: UNKNOWN }, retries: 2 },
    `move aborting: ${LIMIT}`,
  ],
  [
    "the counter is shared: two failing steps, one repetition left",
    {
      branches: sagaRows("prepared", "prepared"),
      customData: CONCURRENT,
      options: { retryLimit: 2 },
      answers: { 1: UNKNOWN, 3: UNKNOWN },
      retries: 1,
    },
    "call 1",
  ],
  [
    "exhausted while another is in flight",
    {
      branches: sagaRows("prepared", "prepared"),
      customData: CONCURRENT,
      options: { retryLimit: 2 },
      answers: { 1: UNKNOWN },
      inFlight: [3],
      retries: 2,
    },
    `move aborting: ${LIMIT}`,
  ],
  [
    "a deferral is no attempt (R12)",
    { branches: sagaRows("prepared"), options: { retryLimit: 2 }, answers: { 1: DEFERRED }, retries: 2 },
    "rest defer until 30s",
  ],
];

const BACK: readonly Case[] = [
  ["last first", { branches: sagaRows("succeed", "succeed", "failed") }, "call 4"],
  ["a failed action is compensated too", { branches: sagaRows("failed") }, "call 0"],
  ["strictly reverse: step 1 waits for step 2", { branches: sagaRows("succeed", "succeed", "failed"), inFlight: [4] }, "await"],
  ["one back", { branches: sagaRows("succeed", "failed/succeed") }, "call 0"],
  ["all undone", { branches: sagaRows("succeed/succeed", "failed/succeed", "prepared") }, "move failed"],
  ["nothing ever ran", { branches: sagaRows("prepared"), fresh: true }, "move failed"],
  ["an action whose turn had come may have run (4.4, 7)", { branches: sagaRows("succeed", "prepared", "prepared") }, "call 2"],
  [
    "an action that answered with an error may have run",
    { branches: sagaRows("prepared", "prepared"), fresh: true, answers: { 1: UNKNOWN } },
    "call 0",
  ],
  [
    "what a fresh drive never sent never ran (R10)",
    { branches: sagaRows("failed", "prepared"), customData: CONCURRENT, fresh: true, answers: { 1: FAILURE } },
    "call 0",
  ],
  [
    "after a change of hands it may have",
    { branches: sagaRows("failed", "prepared"), customData: CONCURRENT, answers: { 1: FAILURE } },
    "call 0 2",
  ],
  [
    "concurrent: all independent ones at once",
    { branches: sagaRows("succeed", "succeed", "failed"), customData: CONCURRENT },
    "call 0 2 4",
  ],
  [
    "concurrent: a predecessor after all that name it",
    { branches: sagaRows("succeed", "succeed", "failed"), customData: orders({ 1: [0], 2: [0] }) },
    "call 2 4",
  ],
  [
    "concurrent: one that names it is left",
    { branches: sagaRows("succeed", "succeed/succeed", "failed"), customData: orders({ 1: [0], 2: [0] }), inFlight: [4] },
    "await",
  ],
  [
    "R10: not beside its own action, the other goes on",
    { branches: sagaRows("prepared", "failed"), customData: CONCURRENT, inFlight: [1], fresh: true },
    "call 2",
  ],
  [
    "R10: nothing left but the one in flight",
    { branches: sagaRows("prepared", "failed/succeed"), customData: CONCURRENT, inFlight: [1], fresh: true },
    "await",
  ],
  ["a refused compensation is a temporary error", { branches: sagaRows("failed"), answers: { 0: FAILURE } }, "rest backOff"],
  ["a failing compensation", { branches: sagaRows("failed"), answers: { 0: UNKNOWN } }, "rest backOff"],
  ["an ongoing compensation", { branches: sagaRows("failed"), answers: { 0: ONGOING } }, "rest keep"],
  ["a deferred compensation", { branches: sagaRows("failed"), answers: { 0: DEFERRED } }, "rest defer until 30s"],
  [
    "leaves at once when what others wait for fails (Q13)",
    { branches: sagaRows("succeed", "succeed", "failed"), answers: { 4: UNKNOWN } },
    "rest backOff",
  ],
  [
    "retry_limit is not for compensations",
    { branches: sagaRows("failed"), options: { retryLimit: 5 }, answers: { 0: UNKNOWN } },
    "rest backOff",
  ],
  ["no timeout while going back", { branches: sagaRows("failed"), options: { timeoutToFail: 7 }, age: 100 }, "call 0"],
];

describe("saga", () => {
  test.each(FORWARD)("submitted, %s", (_given, view, step) => {
    expect(show(saga(aView({ type: "saga", status: "submitted", ...view })))).toBe(step);
  });

  test.each(CONCURRENTLY)("submitted and concurrent, %s", (_given, view, step) => {
    expect(show(saga(aView({ type: "saga", status: "submitted", ...view })))).toBe(step);
  });

  test.each(RETRIES)("submitted with retry_limit 2, %s", (_given, view, step) => {
    expect(show(saga(aView({ type: "saga", status: "submitted", ...view })))).toBe(step);
  });

  test.each(BACK)("aborting, %s", (_given, view, step) => {
    expect(show(saga(aView({ type: "saga", status: "aborting", ...view })))).toBe(step);
  });

  test.each<Case>([
    ["it rests ever longer", { age: 34.999 }, "rest backOff"],
    ["without a timeout it is stuck after 35 s", { age: 35 }, "rest backOff stuck"],
    ["with one, not before it", { age: 35, options: { timeoutToFail: 60 } }, "rest backOff"],
    ["with one, from then on", { age: 60, options: { timeoutToFail: 60 } }, "rest backOff stuck"],
  ])("prepared, where nobody but its client submits it: %s (R16)", (_given, view, step) => {
    expect(show(saga(aView({ type: "saga", status: "prepared", branches: sagaRows("prepared"), ...view })))).toBe(step);
  });

  test.each(["succeed", "failed"] as const)("%s: done", (status) => {
    expect(show(saga(aView({ type: "saga", status, branches: sagaRows("prepared") })))).toBe("done");
  });

  test("rows that do not come in pairs are a defect, not a success", () => {
    const view = aView({ type: "saga", status: "submitted", branches: [aBranch("01", "compensate")] });
    expect(() => saga(view)).toThrow("saga g has no branch row 1");
  });
});
