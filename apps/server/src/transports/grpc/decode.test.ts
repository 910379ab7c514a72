import { dtmgimp } from "@dtm/protocol";
import { NO_OPTIONS } from "../../engine/transaction.js";
import { toBranchInput, toTransactionInput } from "./decode.js";

const { DtmRequest, DtmBranchRequest } = dtmgimp;

test("an empty request is an input without anything, which the commands refuse", () => {
  expect(toTransactionInput(DtmRequest.fromPartial({}))).toEqual({
    gid: "",
    type: "",
    protocol: "grpc",
    steps: [],
    payloads: [],
    queryPrepared: "",
    customData: "",
    options: NO_OPTIONS,
    rollbackReason: "",
    extra: {},
  });
});

test("what a step doesn't name is empty, and what it names beside is passed over", () => {
  const Steps = '[{"action":"a"},{"compensate":"b","action":null},{"action":"c","compensate":"d","data":"x","n":1}]';
  expect(toTransactionInput(DtmRequest.fromPartial({ Steps })).steps).toEqual([
    { action: "a", compensate: "" },
    { action: "", compensate: "b" },
    { action: "c", compensate: "d" },
  ]);
});

test("a step that is null names nothing, as over HTTP", () => {
  expect(toTransactionInput(DtmRequest.fromPartial({ Steps: '[null,{"action":"a"}]' })).steps).toEqual([
    { action: "", compensate: "" },
    { action: "a", compensate: "" },
  ]);
});

test("steps' names count as written, as in dtm", () => {
  expect(toTransactionInput(DtmRequest.fromPartial({ Steps: '[{"Action":"a"}]' })).steps).toEqual([
    { action: "", compensate: "" },
  ]);
});

test.each([
  ['[{"action":1}]', "Steps[0].action must be a string"],
  ['[{},{"compensate":[]}]', "Steps[1].compensate must be a string"],
  ['["a"]', "Steps[0] must be an object of action and compensate"],
  ["[[]]", "Steps[0] must be an object of action and compensate"],
  ["7", "Steps must be a JSON array of steps"],
])("refuses steps %s", (Steps, message) => {
  expect(() => toTransactionInput(DtmRequest.fromPartial({ Steps }))).toThrow(message);
});

test("more steps than a transaction may have are refused before one is looked at", () => {
  const Steps = JSON.stringify(Array(10_001).fill(7));
  expect(() => toTransactionInput(DtmRequest.fromPartial({ Steps }))).toThrow("at most 10000 steps, found 10001");
});

test("text that is not JSON is told from JSON that is no steps", () => {
  expect(() => toTransactionInput(DtmRequest.fromPartial({ Steps: "nil" }))).toThrow(
    expect.objectContaining({ code: "UNPARSABLE" }),
  );
});

test("a branch's Data is read, its Op is not", () => {
  const Data = { op: "rollback", status: "succeed", confirm: "c", cancel: "x", url: "u", other: "o" };
  const BusiPayload = Buffer.from([1, 2]);
  expect(
    toBranchInput(DtmBranchRequest.fromPartial({ Gid: "g", TransType: "xa", BranchID: "01", Op: "action", Data, BusiPayload })),
  ).toEqual({
    gid: "g",
    type: "xa",
    branchId: "01",
    payload: BusiPayload,
    confirm: "c",
    cancel: "x",
    url: "u",
    op: "rollback",
    status: "succeed",
  });
});
