import {
  aView,
  CREATED,
  DEFERRED,
  FAILURE,
  msgRows,
  ONGOING,
  SUCCESS,
  show,
  UNKNOWN,
  type ViewFields,
} from "../../test/kit/views.js";
import { msg } from "./msg.js";
import { CALLBACK } from "./step.js";

type Case = readonly [given: string, view: Omit<ViewFields, "type" | "status">, step: string];

const ASKED = { transaction: { queryPrepared: "/query" }, branches: msgRows("prepared"), age: 35 };
const PREPARED: readonly Case[] = [
  ["before its timeout", { ...ASKED, age: 34.999 }, "rest reset until 35s"],
  ["its own timeout is when to ask back", { ...ASKED, age: 5, options: { timeoutToFail: 5 } }, `call ${CALLBACK}`],
  ["without any timeout nobody asks back", { ...ASKED, settings: { timeoutToFail: 0 } }, "rest backOff"],
  ["timed out", ASKED, `call ${CALLBACK}`],
  ["asking", { ...ASKED, inFlight: [CALLBACK] }, "await"],
  ["the local transaction was committed", { ...ASKED, answers: { [CALLBACK]: SUCCESS } }, "move submitted"],
  ["the local transaction was rolled back", { ...ASKED, answers: { [CALLBACK]: FAILURE } }, "move failed"],
  ["not known yet", { ...ASKED, answers: { [CALLBACK]: ONGOING } }, "rest reset"],
  ["no usable answer", { ...ASKED, answers: { [CALLBACK]: UNKNOWN } }, "rest backOff"],
  ["not sent", { ...ASKED, answers: { [CALLBACK]: DEFERRED } }, "rest defer until 30s"],
  ["no query_prepared counts as success (Q19)", { ...ASKED, transaction: { queryPrepared: "" } }, "move submitted"],
];

const DELAYED = { branches: msgRows("prepared"), customData: '{"delay":60}' };
const CONCURRENT = { options: { concurrent: true } };
const SUBMITTED: readonly Case[] = [
  ["the first action", { branches: msgRows("prepared", "prepared") }, "call 0"],
  ["one after the other", { branches: msgRows("prepared", "prepared"), inFlight: [0] }, "await"],
  ["the next", { branches: msgRows("succeed", "prepared"), answers: { 0: SUCCESS } }, "call 1"],
  ["all delivered", { branches: msgRows("succeed", "succeed") }, "move succeed"],
  ["nothing to deliver", {}, "move succeed"],
  ["ongoing", { branches: msgRows("prepared", "prepared"), answers: { 0: ONGOING } }, "rest keep"],
  ["an error", { branches: msgRows("prepared", "prepared"), answers: { 0: UNKNOWN } }, "rest backOff"],
  ["a refusal never rolls a msg back", { branches: msgRows("prepared", "prepared"), answers: { 0: FAILURE } }, "rest backOff"],
  ["not sent", { branches: msgRows("prepared", "prepared"), answers: { 0: DEFERRED } }, "rest defer until 30s"],
  ["its timeout is over", { branches: msgRows("prepared"), age: 1e6 }, "call 0"],
  ["concurrent: all at once", { branches: msgRows("prepared", "succeed", "prepared"), ...CONCURRENT }, "call 0 2"],
  [
    "concurrent: waits for all, whatever came (Q38)",
    { branches: msgRows("prepared", "prepared"), ...CONCURRENT, answers: { 0: UNKNOWN }, inFlight: [1] },
    "await",
  ],
  [
    "concurrent: an error and an ongoing one back off together",
    { branches: msgRows("prepared", "prepared"), ...CONCURRENT, answers: { 0: UNKNOWN, 1: ONGOING } },
    "rest backOff",
  ],
  [
    "concurrent: held to the type's concurrency",
    { branches: msgRows("prepared", "prepared", "prepared"), ...CONCURRENT, settings: { concurrency: 2 }, inFlight: [0] },
    "call 1",
  ],
  [
    "concurrent: waits at the type's concurrency",
    { branches: msgRows("prepared", "prepared", "prepared"), ...CONCURRENT, settings: { concurrency: 2 }, inFlight: [0, 1] },
    "await",
  ],
  ["delayed", { ...DELAYED, age: 59.999 }, "rest reset until 60s"],
  ["the delay is over", { ...DELAYED, age: 60 }, "call 0"],
  [
    "the delay counts from submit (R8)",
    { ...DELAYED, age: 60, transaction: { submitTime: CREATED + 20_000 } },
    "rest reset until 80s",
  ],
  [
    "a row that dtm submitted has no submit time: from its creation (4.14)",
    { ...DELAYED, age: 60, transaction: { submitTime: null } },
    "call 0",
  ],
];

describe("msg", () => {
  test.each(PREPARED)("prepared, %s", (_given, view, step) => {
    expect(show(msg(aView({ type: "msg", status: "prepared", ...view })))).toBe(step);
  });

  test.each(SUBMITTED)("submitted, %s", (_given, view, step) => {
    expect(show(msg(aView({ type: "msg", status: "submitted", ...view })))).toBe(step);
  });

  test.each(["aborting", "succeed", "failed"] as const)("%s: done, nothing is called", (status) => {
    expect(show(msg(aView({ type: "msg", status, branches: msgRows("prepared") })))).toBe("done");
  });
});
