/** What SDKs of other languages send over gRPC, byte by byte, and what becomes of it (protocol.md 2.1, 6.7). */
import { status as Status } from "@grpc/grpc-js";
import { GrpcNode, type RawAnswer, type RawClient } from "../kit/grpc-node.js";
import { branch, msg, OPTION, saga, steps, topic, transaction } from "../kit/grpc-requests.js";
import { buffersOf, bytes, fieldsOf, message, nested, text, textsOf, whole } from "../kit/protobuf.js";

// Sockets on a busy machine: what goes wrong here hangs, so a limit only has to be finite.
jest.setTimeout(60_000);

const OK = Status.OK;
/** Not UTF-8: a payload is bytes, whatever an SDK puts there. */
const BINARY = Buffer.from([0, 0xff, 0xfe, 0x80, 1]);

let node: GrpcNode;
let client: RawClient;

beforeEach(async () => {
  node = await GrpcNode.started();
  client = node.client();
});
afterEach(() => node.stop());

async function succeeds(answer: Promise<RawAnswer>): Promise<Buffer> {
  const { code, message, reply } = await answer;
  expect({ code, message }).toEqual({ code: OK, message: "" });
  return reply;
}

function status(gid: string): string {
  return node.stored(gid).transaction.status;
}

test("NewGid answers a gid of its own each time", async () => {
  const gids = await Promise.all([client.dtm("NewGid"), client.dtm("NewGid")]);
  const texts = gids.flatMap(({ reply }) => textsOf(reply, 1));
  expect(new Set(texts).size).toBe(2);
  for (const gid of texts) expect(gid).toMatch(/^[2-9A-HJ-NP-Za-km-z]{22}$/);
});

test("a saga of the Go client runs: steps as JSON, payloads as bytes, every option", async () => {
  const request = transaction({
    gid: "g",
    type: "saga",
    options: [
      OPTION.timeoutToFail(60),
      OPTION.retryInterval(12),
      OPTION.branchHeader("x-tenant", "t1"),
      OPTION.requestTimeout(5),
      OPTION.retryLimit(2),
    ],
    steps: steps(
      { action: "shop:58081/busi.Busi/TransOut", compensate: "shop:58081/busi.Busi/TransOutRevert" },
      { action: "http://bank/in", compensate: "http://bank/in-undo" },
    ),
    payloads: [BINARY, Buffer.from("{}")],
  });
  expect(await succeeds(client.dtm("Submit", request))).toHaveLength(0);
  await node.until(() => status("g") === "succeed");
  expect(node.rows("g")).toEqual(["01 compensate prepared", "01 action succeed", "02 compensate prepared", "02 action succeed"]);
  expect(node.stored("g").transaction).toMatchObject({
    protocol: "grpc",
    options: {
      waitResult: false,
      timeoutToFail: 60,
      retryInterval: 12,
      requestTimeout: 5,
      retryLimit: 2,
      concurrent: false,
      branchHeaders: { "x-tenant": "t1" },
    },
  });
  const [first, second] = node.participants.calls.map(({ invocation }) => invocation);
  expect(first).toMatchObject({ url: "shop:58081/busi.Busi/TransOut", protocol: "grpc", branchId: "01", op: "action" });
  expect(Buffer.from(first?.payload ?? [])).toEqual(BINARY);
  expect(first?.headers).toMatchObject({ "x-tenant": "t1" });
  expect(second).toMatchObject({ url: "http://bank/in", protocol: "grpc" });
});

test("TransOptions may be absent", async () => {
  await succeeds(client.dtm("Submit", saga("g", ["a"])));
  await node.until(() => status("g") === "succeed");
  expect(node.stored("g").transaction.options).toMatchObject({ waitResult: false, timeoutToFail: 0, branchHeaders: {} });
});

test.each([
  ["Go's literal null", "null"],
  ["C#'s empty string", ""],
  ["an empty list", "[]"],
  ["nothing at all", undefined],
])("a tcc without steps: %s", async (_name, none) => {
  const request = transaction({ gid: "g", type: "tcc", options: [], ...(none === undefined ? {} : { steps: none }) });
  await succeeds(client.dtm("Prepare", request));
  expect(node.stored("g")).toMatchObject({ transaction: { type: "tcc", status: "prepared" }, branches: [] });
});

test("the old proto's field 4, which the Node client sends, is passed over", async () => {
  const options = [OPTION.waitResult, OPTION.timeoutToFail(40), OPTION.passthroughHeader("a"), OPTION.passthroughHeader("b")];
  await succeeds(client.dtm("Prepare", transaction({ gid: "g", type: "tcc", options, steps: "" })));
  expect(node.stored("g").transaction.options).toEqual({
    waitResult: true,
    timeoutToFail: 40,
    requestTimeout: 0,
    retryInterval: 0,
    retryLimit: 0,
    concurrent: false,
    branchHeaders: {},
  });
});

test("the PHP client's messages, of a package called dtm: zero values on the wire and fields in no order", async () => {
  const request = message(
    text(9, ""),
    text(7, steps({ action: "a", compensate: "" })),
    bytes(5, BINARY),
    nested(3, whole(1, false), whole(2, 0), whole(3, 0), whole(6, 0)),
    text(2, "saga"),
    text(4, ""),
    text(6, ""),
    text(1, "g"),
  );
  await succeeds(client.dtm("Submit", request));
  await node.until(() => status("g") === "succeed");
  expect(Buffer.from(node.participants.calls[0]?.invocation.payload ?? [])).toEqual(BINARY);
});

test("fields that only a later proto knows are passed over", async () => {
  const unknown = [text(20, "x"), whole(21, 7), nested(22, text(1, "y")), Buffer.from([23 * 8 + 5 - 128 + 128, 1, 1, 2, 3, 4])];
  await succeeds(client.dtm("Prepare", transaction({ gid: "g", type: "tcc", unknown })));
  expect(status("g")).toBe("prepared");
});

test("a gid is used as it came, what HTTP strips included", async () => {
  await succeeds(client.dtm("Prepare", transaction({ gid: "a;b\nc\r", type: "tcc" })));
  expect(status("a;b\nc\r")).toBe("prepared");
});

test("a saga's concurrency comes in CustomedData", async () => {
  for (const url of ["a", "b", "c"]) node.participants.hold(url);
  const customData = '{"concurrent":true,"orders":{"2":[0,1]}}';
  await succeeds(client.dtm("Submit", saga("g", ["a", "b", "c"], { customData })));
  await node.until(() => node.participants.urls.length === 2);
  expect(node.participants.urls).toEqual(["a", "b"]);
});

test("a msg's delay comes in CustomedData", async () => {
  await succeeds(client.dtm("Submit", msg("g", ["a"], { customData: '{"delay":30}' })));
  await node.clock.advance(29_000);
  expect(node.participants.urls).toEqual([]);
  await node.clock.advance(3_000);
  expect(node.participants.urls).toEqual(["a"]);
});

test("a two-phase msg: prepare, submit without steps, and the branches of the prepare are called", async () => {
  await succeeds(client.dtm("Prepare", msg("g", ["a", "b"], { queryPrepared: "shop:1/busi.Busi/Query" })));
  expect(node.stored("g").transaction.queryPrepared).toBe("shop:1/busi.Busi/Query");
  await succeeds(client.dtm("Submit", transaction({ gid: "g", type: "msg", steps: "null" })));
  await node.until(() => status("g") === "succeed");
  expect(node.participants.urls).toEqual(["a", "b"]);
});

test("a tcc registers confirm and cancel, and its payload goes to both untouched", async () => {
  await succeeds(client.dtm("Prepare", transaction({ gid: "g", type: "tcc", steps: "null" })));
  const data = { confirm: "shop:1/S/Confirm", cancel: "shop:1/S/Cancel" };
  await succeeds(client.dtm("RegisterBranch", branch({ gid: "g", type: "tcc", branchId: "01", data, payload: BINARY })));
  expect(node.stored("g").branches).toMatchObject([
    { branchId: "01", op: "cancel", url: "shop:1/S/Cancel", status: "prepared" },
    { branchId: "01", op: "confirm", url: "shop:1/S/Confirm", status: "prepared" },
  ]);
  await succeeds(client.dtm("Submit", transaction({ gid: "g", type: "tcc", steps: "null" })));
  await node.until(() => status("g") === "succeed");
  expect(node.participants.urls).toEqual(["shop:1/S/Confirm"]);
  expect(Buffer.from(node.participants.calls[0]?.invocation.payload ?? [])).toEqual(BINARY);
});

test("an aborted tcc is cancelled, and keeps the reason that was sent", async () => {
  await succeeds(client.dtm("Prepare", transaction({ gid: "g", type: "tcc" })));
  await succeeds(
    client.dtm("RegisterBranch", branch({ gid: "g", type: "tcc", branchId: "01", data: { confirm: "c", cancel: "x" } })),
  );
  await succeeds(client.dtm("Abort", transaction({ gid: "g", type: "tcc", rollbackReason: "no stock" })));
  await node.until(() => status("g") === "failed");
  expect(node.participants.urls).toEqual(["x"]);
  expect(node.stored("g").transaction.rollbackReason).toBe("no stock");
});

test("an xa branch registers one url for both ends", async () => {
  await succeeds(client.dtm("Prepare", transaction({ gid: "g", type: "xa" })));
  await succeeds(client.dtm("RegisterBranch", branch({ gid: "g", type: "xa", branchId: "01", data: { url: "shop:1/S/Xa" } })));
  expect(node.stored("g").branches).toMatchObject([
    { op: "rollback", url: "shop:1/S/Xa" },
    { op: "commit", url: "shop:1/S/Xa" },
  ]);
});

describe("a workflow", () => {
  const begin = transaction({ gid: "g", type: "workflow", customData: '{"name":"order","data":"e30="}', queryPrepared: "app:1" });

  test("is new: its status, and no progress", async () => {
    const reply = await succeeds(client.dtm("PrepareWorkflow", begin));
    const [stored] = buffersOf(reply, 1);
    expect(textsOf(stored ?? Buffer.alloc(0), 1)).toEqual(["g"]);
    expect(textsOf(stored ?? Buffer.alloc(0), 2)).toEqual(["prepared"]);
    expect(buffersOf(reply, 2)).toEqual([]);
    expect(node.stored("g").transaction).toMatchObject({ protocol: "grpc", queryPrepared: "app:1" });
  });

  test("comes back with its progress: op and status are those in Data, the message's own Op is ignored", async () => {
    await succeeds(client.dtm("PrepareWorkflow", begin));
    const data = { op: "action", status: "succeed" };
    const step = branch({ gid: "g", type: "workflow", branchId: "01", op: "confirm", data, payload: BINARY });
    await succeeds(client.dtm("RegisterBranch", step));
    const [progress] = buffersOf(await succeeds(client.dtm("PrepareWorkflow", begin)), 2);
    const fields = fieldsOf(progress ?? Buffer.alloc(0));
    expect(Object.fromEntries(fields)).toEqual({
      1: [Buffer.from("succeed")],
      2: [BINARY],
      3: [Buffer.from("01")],
      4: [Buffer.from("action")],
    });
  });

  test("finished, it comes back with the result that dtm forgets (Q4)", async () => {
    await succeeds(client.dtm("PrepareWorkflow", begin));
    const end = transaction({
      gid: "g",
      type: "workflow",
      extra: { status: "succeed", result: "cmVzdWx0", rollback_reason: "" },
    });
    await succeeds(client.dtm("Submit", end));
    const [stored] = buffersOf(await succeeds(client.dtm("PrepareWorkflow", begin)), 1);
    expect(textsOf(stored ?? Buffer.alloc(0), 2)).toEqual(["succeed"]);
    expect(textsOf(stored ?? Buffer.alloc(0), 4)).toEqual(["cmVzdWx0"]);
  });

  test("rolled back, it comes back with the reason", async () => {
    await succeeds(client.dtm("PrepareWorkflow", begin));
    const end = transaction({ gid: "g", type: "workflow", extra: { status: "failed", rollback_reason: "no stock" } });
    await succeeds(client.dtm("Submit", end));
    const [stored] = buffersOf(await succeeds(client.dtm("PrepareWorkflow", begin)), 1);
    expect(textsOf(stored ?? Buffer.alloc(0), 2)).toEqual(["failed"]);
    expect(textsOf(stored ?? Buffer.alloc(0), 3)).toEqual(["no stock"]);
  });
});

test("a topic's subscribers each get the msg; once deleted, nobody does", async () => {
  await succeeds(client.dtm("Subscribe", topic("news", "http://a", "first")));
  await succeeds(client.dtm("Subscribe", topic("news", "shop:1/S/M")));
  await succeeds(client.dtm("Submit", msg("g", ["topic://news"])));
  await node.until(() => status("g") === "succeed");
  expect(node.rows("g")).toEqual(["01-01 action succeed", "01-02 action succeed"]);
  expect(node.participants.urls.sort()).toEqual(["http://a", "shop:1/S/M"]);
  await succeeds(client.dtm("Unsubscribe", topic("news", "http://a")));
  await succeeds(client.dtm("Submit", msg("h", ["topic://news"])));
  expect(node.rows("h")).toHaveLength(1);
  await succeeds(client.dtm("DeleteTopic", topic("news")));
  expect(await client.dtm("Submit", msg("i", ["topic://news"]))).toMatchObject({
    code: Status.INTERNAL,
    message: "topic not found",
  });
});
