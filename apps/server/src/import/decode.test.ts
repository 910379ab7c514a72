import { BORN, dtmBranch, dtmGlobal, goTime, PAYLOADS, STEPS, sagaRows } from "../../test/kit/dtm-redis.js";
import { type Decoded, decode, type Stored } from "./decode.js";

const DUE = Math.ceil(BORN / 1000) + 40;

function saga(overrides: Partial<Stored> = {}, fields: Readonly<Record<string, unknown>> = {}): Stored {
  return {
    gid: "g",
    global: dtmGlobal({ gid: "g", ...fields }),
    status: "submitted",
    branches: sagaRows(STEPS, PAYLOADS, 1).map((branch) => dtmBranch("g", branch)),
    dueSeconds: DUE,
    ...overrides,
  };
}

function other(type: string, fields: Readonly<Record<string, unknown>> = {}, overrides: Partial<Stored> = {}): Stored {
  return {
    gid: "g",
    global: dtmGlobal({ gid: "g", trans_type: type, ...fields }),
    status: "prepared",
    branches: [],
    dueSeconds: DUE,
    ...overrides,
  };
}

function loaded(decoded: Decoded) {
  if (decoded.kind === "unusable") throw new Error(decoded.why);
  return decoded.loaded;
}

test("a saga under way: its fields, its rows in order, due when dtm's cron would look", () => {
  const { transaction, branches } = loaded(decode(saga({}, { custom_data: '{"concurrent":true}', next_cron_interval: 40 })));
  expect(transaction).toEqual({
    id: 0,
    gid: "g",
    type: "saga",
    status: "submitted",
    protocol: "http",
    queryPrepared: "",
    options: expect.objectContaining({ waitResult: false, retryInterval: 0, concurrent: false }),
    customData: '{"concurrent":true}',
    createTime: BORN,
    updateTime: BORN,
    submitTime: null,
    finishTime: null,
    rollbackTime: null,
    nextCronInterval: 40,
    nextCronTime: DUE * 1000,
    owner: "",
    result: "",
    rollbackReason: "",
    attempts: 0,
    refusals: 0,
    wake: 0,
    waitingOn: "",
  });
  expect(branches.map(({ branchId, op, status, url }) => [branchId, op, status, url])).toEqual([
    ["01", "compensate", "prepared", "http://a/debit-undo"],
    ["01", "action", "succeed", "http://a/debit"],
    ["02", "compensate", "prepared", "http://b/credit-undo"],
    ["02", "action", "prepared", "http://b/credit"],
  ]);
  expect(Buffer.from(branches[3]?.payload ?? []).toString()).toBe(PAYLOADS[1]);
  expect(branches[1]).toMatchObject({ createTime: BORN, finishTime: BORN + 1_000, rollbackTime: null });
});

test("what dtm's cron doesn't know any more is due when its JSON says", () => {
  expect(loaded(decode(saga({ dueSeconds: null }))).transaction.nextCronTime).toBe(BORN + 10_000);
});

test("the status key counts, not its copy in the JSON", () => {
  expect(loaded(decode(saga({ status: "aborting" }))).transaction.status).toBe("aborting");
});

test("options are what the client said, not what dtm's cron left beside them", () => {
  const said = '{"retry_interval":90,"concurrent":true,"branch_headers":{"a":"b"}}';
  const { options } = loaded(
    decode(other("msg", { options: said, wait_result: true, retry_interval: 90, request_timeout: 7 })),
  ).transaction;
  expect(options).toMatchObject({
    waitResult: false,
    retryInterval: 90,
    requestTimeout: 0,
    concurrent: true,
    branchHeaders: { a: "b" },
  });
  const bare = loaded(decode(other("msg", { options: undefined, retry_interval: 20, wait_result: true }))).transaction;
  expect(bare.options).toMatchObject({ waitResult: false, retryInterval: 20 });
});

test("steps are there until dtm's first pass", () => {
  const kept = { steps: STEPS, payloads: PAYLOADS };
  expect(loaded(decode(saga({}, kept)))).toEqual(loaded(decode(saga())));
});

test("registered branches have no times of their own in Go's Redis store", () => {
  const row = {
    url: "http://a/confirm",
    branch_id: "01",
    op: "confirm",
    status: "prepared",
    data: "{}",
    create_time: null,
    update_time: null,
  };
  const { branches } = loaded(decode(other("tcc", {}, { branches: [dtmBranch("g", row)] })));
  expect(branches).toMatchObject([{ createTime: BORN, updateTime: BORN, finishTime: null }]);
});

test("a finished workflow has lost its create_time (Q5), and reads the same each time", () => {
  const fields = { create_time: null, status: "succeed", finish_time: goTime(BORN + 5_000), result: "cmVz" };
  const { transaction } = loaded(decode(other("workflow", fields, { status: "succeed", dueSeconds: null })));
  expect(transaction).toMatchObject({
    createTime: BORN + 5_000,
    finishTime: BORN + 5_000,
    result: "cmVz",
    nextCronTime: BORN + 10_000,
  });
});

test("a reason that is longer than any column is cut", () => {
  const { transaction } = loaded(decode(other("tcc", { rollback_reason: "é".repeat(3_000) })));
  expect(transaction.rollbackReason).toBe("é".repeat(1024));
});

test("a reason that no column takes keeps what it says", () => {
  const { transaction } = loaded(decode(other("tcc", { rollback_reason: "no\0money \ud800" })));
  expect(transaction.rollbackReason).toBe("no\ufffdmoney \ufffd");
});

test.each<readonly [string, Stored]>([
  ["it can't be read as JSON", saga({ global: "{" })],
  ["it can't be read as JSON", saga({ global: "[]" })],
  ["its key names another gid", saga({ gid: "h" })],
  ["its gid is empty", { ...other("tcc", { gid: undefined }), gid: "" }],
  ["its type is unknown: sago", other("sago")],
  ["its status is unknown: begun", other("tcc", {}, { status: "begun" })],
  ["its protocol is unknown: smtp", other("tcc", { protocol: "smtp" })],
  ["its status has expired", saga({ status: null })],
  ["its branches have expired", saga({ branches: [] })],
  ["its 3 branches aren't those of a saga", saga({ branches: saga().branches.slice(0, 3) })],
  ["its 4 branches aren't those of a saga: end it by hand", saga({ branches: saga().branches.toReversed() })],
  ["its 4 branches aren't those of a saga of 1 steps", saga({}, { steps: STEPS.slice(1) })],
  ["its branches have expired", other("msg", { steps: STEPS })],
  ["its branches have expired", other("msg", {}, { status: "submitted" })],
  ["its branches have expired", other("tcc", {}, { status: "submitted" })],
  ["its branches have expired", other("tcc", {}, { status: "aborting" })],
  ["its branches have expired", other("xa", {}, { status: "submitted" })],
  ["its branches have expired", other("xa", {}, { status: "aborting" })],
  ["a branch of it can't be read", saga({ branches: ["{", ...saga().branches.slice(1)] })],
  [
    "status of a branch is unknown",
    other("tcc", {}, { branches: [dtmBranch("g", { url: "", branch_id: "01", op: "confirm", status: "done" })] }),
  ],
  ["its create_time is no time", saga({}, { create_time: "yesterday" })],
])("not imported, and said: %s", (why, stored) => {
  expect(decode(stored)).toEqual({ kind: "unusable", why: expect.stringContaining(why) });
});

test.each(["tcc", "xa"])("a %s that is prepared may have no branch yet", (type) => {
  expect(loaded(decode(other(type))).branches).toEqual([]);
});

test("a finished one without branches is history, and stays it", () => {
  expect(decode(saga({ branches: [], status: null, dueSeconds: null }, { status: "failed" })).kind).toBe("transaction");
});
