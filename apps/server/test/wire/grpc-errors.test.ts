/** What a gRPC caller is told when it doesn't work: the codes and texts of protocol.md 2.2, 4.12 and R22. */
import { outcomeFromGrpc } from "@dtm/protocol";
import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { NOTICE } from "../../src/engine/waiting.js";
import { StoreOverloaded, StoreRejected, StoreUnavailable } from "../../src/stores/store.js";
import { GrpcNode, type RawAnswer, type RawClient } from "../kit/grpc-node.js";
import { branch, msg, OPTION, saga, steps, topic, transaction } from "../kit/grpc-requests.js";
import { bytes, message, text, whole } from "../kit/protobuf.js";
import { REPLIES, type Reply } from "../kit/scripted-participants.js";

// Sockets on a busy machine: what goes wrong here hangs, so a limit only has to be finite.
jest.setTimeout(60_000);

const { ABORTED, FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, OK, RESOURCE_EXHAUSTED, UNAVAILABLE, UNIMPLEMENTED, UNKNOWN } =
  Status;

let node: GrpcNode;
let client: RawClient;

beforeEach(async () => {
  node = await GrpcNode.started();
  client = node.client();
});
afterEach(() => node.stop());

function answerOf({ code, message }: RawAnswer): { code: number; message: string } {
  return { code, message };
}

async function ok(...answers: readonly Promise<RawAnswer>[]): Promise<void> {
  for (const answer of answers) expect(answerOf(await answer)).toEqual({ code: OK, message: "" });
}

/** What a branch over gRPC said, read as the participants read it. */
function said(code: number, message: string): Reply {
  return { outcome: outcomeFromGrpc(code, message) };
}

const waiting = { options: [OPTION.waitResult] };
const tcc = (gid: string): Buffer => transaction({ gid, type: "tcc", ...waiting });
const tccBranch = (gid: string): Buffer => branch({ gid, type: "tcc", branchId: "01", data: { confirm: "c", cancel: "x" } });

describe("a request that can't be done (2.2)", () => {
  test("a branch registered twice is UNKNOWN", async () => {
    await ok(client.dtm("Prepare", tcc("g")), client.dtm("RegisterBranch", tccBranch("g")));
    expect(answerOf(await client.dtm("RegisterBranch", tccBranch("g")))).toEqual({
      code: UNKNOWN,
      message: "storage: UniqueKeyConflict",
    });
  });

  test("a branch of nothing prepared is ABORTED", async () => {
    expect(answerOf(await client.dtm("RegisterBranch", tccBranch("g")))).toEqual({
      code: ABORTED,
      message: "no trans with gid: g status: prepared found FAILURE",
    });
  });

  test("abort of an unknown gid is INTERNAL", async () => {
    expect(answerOf(await client.dtm("Abort", tcc("g")))).toEqual({
      code: INTERNAL,
      message: "no TransGlobal with gid: g found",
    });
  });

  test("prepare and submit after the end are ABORTED", async () => {
    await ok(client.dtm("Submit", saga("g", ["a"], waiting)));
    expect(answerOf(await client.dtm("Prepare", saga("g", ["a"])))).toEqual({
      code: ABORTED,
      message: "current status 'succeed', cannot prepare. FAILURE",
    });
    expect(answerOf(await client.dtm("Submit", saga("g", ["a"])))).toEqual({
      code: ABORTED,
      message: "current status 'succeed', cannot sumbmit. FAILURE",
    });
  });

  test("abort of a saga is ABORTED", async () => {
    await ok(client.dtm("Submit", saga("g", ["a"], waiting)));
    expect(answerOf(await client.dtm("Abort", transaction({ gid: "g", type: "saga" })))).toEqual({
      code: ABORTED,
      message: "trans type: 'saga' current status 'succeed', cannot abort. FAILURE",
    });
  });

  test("the end of an unknown workflow is INTERNAL", async () => {
    const end = transaction({ gid: "g", type: "workflow", extra: { status: "succeed" } });
    expect(answerOf(await client.dtm("Submit", end))).toEqual({ code: INTERNAL, message: "storage: NotFound" });
  });

  test("an unknown topic is INTERNAL", async () => {
    const answer = await client.dtm("Submit", msg("g", ["topic://news"]));
    expect(answerOf(answer)).toEqual({ code: INTERNAL, message: "topic not found" });
    expect(node.store.peek("g")).toBeNull();
  });

  test.each([
    ["Subscribe", topic("", "http://a"), "empty topic"],
    ["Subscribe", topic("news"), "empty url"],
    ["Subscribe", topic("known", "http://a"), "this url exists"],
    ["Unsubscribe", topic("", "http://a"), "empty topic"],
    ["Unsubscribe", topic("news", "http://a"), "no such a topic"],
    ["Unsubscribe", topic("known", "http://b"), "no such an url "],
    ["DeleteTopic", topic("news"), "storage: NotFound"],
  ])("%s: UNKNOWN, in dtm's words", async (method, request, message) => {
    await ok(client.dtm("Subscribe", topic("known", "http://a")));
    expect(answerOf(await client.dtm(method, request))).toEqual({ code: UNKNOWN, message });
  });

  test("a method that dtm doesn't have is UNIMPLEMENTED", async () => {
    expect(await client.dtm("Query", tcc("g"))).toMatchObject({ code: UNIMPLEMENTED });
  });
});

describe("a waiting caller (4.12)", () => {
  test("of a saga that was rolled back: ABORTED with the reason", async () => {
    node.participants.script("b", said(ABORTED, "no stock"));
    expect(answerOf(await client.dtm("Submit", saga("g", ["a", "b"], waiting)))).toEqual({
      code: ABORTED,
      message: "url:b return failed: no stock FAILURE",
    });
    expect(node.stored("g").transaction.status).toBe("failed");
  });

  const saga1 = saga("g", ["a"], waiting);
  const msg1 = msg("g", ["a"], waiting);
  const notYet = "wait result not return success: FAILURE";
  test.each<[string, Buffer, Reply, { code: number; message: unknown }]>([
    ["a saga whose branch is at work", saga1, REPLIES.ongoing, { code: ABORTED, message: notYet }],
    ["a saga whose branch broke", saga1, said(INTERNAL, "oops"), { code: ABORTED, message: notYet }],
    ["a msg whose branch is at work", msg1, REPLIES.ongoing, { code: ABORTED, message: notYet }],
    ["a msg whose branch broke over HTTP", msg1, REPLIES.error, { code: UNKNOWN, message: expect.stringContaining("oops") }],
    [
      "a msg whose branch broke over gRPC",
      msg1,
      said(INTERNAL, "oops"),
      { code: INTERNAL, message: expect.stringContaining("oops") },
    ],
    [
      "a msg whose branch was late",
      msg1,
      said(Status.DEADLINE_EXCEEDED, "late"),
      { code: 4, message: expect.stringContaining("late") },
    ],
    [
      "a msg whose branch answered a code of its own",
      msg1,
      said(99, "odd"),
      { code: 99, message: expect.stringContaining("odd") },
    ],
    ["a msg whose branch refused", msg1, said(ABORTED, "never"), { code: ABORTED, message: `${NOTICE}never FAILURE` }],
  ])("of %s", async (_name, request, reply, expected) => {
    node.participants.script("a", reply);
    expect(answerOf(await client.dtm("Submit", request))).toEqual(expected);
    expect(node.stored("g").transaction.status).toBe("submitted");
  });

  test("of a delayed msg", async () => {
    const delayed = msg("g", ["a"], { ...waiting, customData: '{"delay":60}' });
    expect(answerOf(await client.dtm("Submit", delayed))).toEqual({ code: ABORTED, message: notYet });
  });

  test.each<[string, string, Reply, { code: number; message: unknown }]>([
    ["Submit", "at work", REPLIES.ongoing, { code: FAILED_PRECONDITION, message: "ONGOING" }],
    ["Submit", "broken over HTTP", REPLIES.error, { code: UNKNOWN, message: expect.stringContaining("oops") }],
    ["Submit", "broken over gRPC", said(UNAVAILABLE, "gone"), { code: UNAVAILABLE, message: expect.stringContaining("gone") }],
    ["Submit", "refusing", said(ABORTED, "never"), { code: ABORTED, message: `${NOTICE}never FAILURE` }],
    ["Abort", "at work", REPLIES.ongoing, { code: FAILED_PRECONDITION, message: "ONGOING" }],
    ["Abort", "broken over gRPC", said(INTERNAL, "oops"), { code: INTERNAL, message: expect.stringContaining("oops") }],
    ["Abort", "refusing", said(ABORTED, "never"), { code: ABORTED, message: `${NOTICE}never FAILURE` }],
  ])("%s of a tcc whose branch is %s", async (method, _how, reply, expected) => {
    node.participants.script(method === "Submit" ? "c" : "x", reply);
    await ok(client.dtm("Prepare", tcc("g")), client.dtm("RegisterBranch", tccBranch("g")));
    expect(answerOf(await client.dtm(method, tcc("g")))).toEqual(expected);
  });

  test("of an abort that ended well: OK", async () => {
    await ok(client.dtm("Prepare", tcc("g")), client.dtm("RegisterBranch", tccBranch("g")), client.dtm("Abort", tcc("g")));
    expect(node.stored("g").transaction.status).toBe("failed");
  });

  test("who leaves cancels nothing (R11)", async () => {
    node.participants.hold("a");
    const called = node.until(() => node.participants.urls.length === 1);
    expect(await client.abandon("/dtmgimp.Dtm/Submit", saga("g", ["a"], waiting), called)).toMatchObject({
      code: Status.CANCELLED,
    });
    node.participants.inFlight("a").answer({ kind: "success" });
    await node.until(() => node.stored("g").transaction.status === "succeed");
    await node.until(() => node.served.includes("grpc submit"));
  });

  test("whose deadline is over cancels nothing either", async () => {
    node.participants.hold("a");
    const deadline = Date.now() + 50;
    const answer = await client.ask("/dtmgimp.Dtm/Submit", saga("g", ["a"], waiting), { deadline });
    expect(answer.code).toBe(Status.DEADLINE_EXCEEDED);
    await node.until(() => node.participants.urls.length === 1);
    node.participants.inFlight("a").answer({ kind: "success" });
    await node.until(() => node.stored("g").transaction.status === "succeed");
  });
});

describe("bad input is INVALID_ARGUMENT, and nothing is stored (R22)", () => {
  const oneStep = steps({ action: "a" });
  test.each<[string, string, Buffer]>([
    ["an empty gid", "Prepare", transaction({ gid: "", type: "tcc" })],
    ["a gid over 128 characters", "Prepare", transaction({ gid: "g".repeat(129), type: "tcc" })],
    ["a gid with NUL", "Prepare", transaction({ gid: "g\0", type: "tcc" })],
    ["no type", "Submit", transaction({ gid: "g", type: "" })],
    ["an unknown type", "Submit", transaction({ gid: "g", type: "sagas" })],
    [
      "an unknown type whose text is cut in the middle of a character",
      "Submit",
      transaction({ gid: "g", type: `${"a".repeat(44)}😀` }),
    ],
    ["a negative timeout", "Submit", saga("g", ["a"], { options: [OPTION.timeoutToFail(-1)] })],
    ["a negative retry limit", "Submit", saga("g", ["a"], { options: [OPTION.retryLimit(-1)] })],
    ["a timeout over ten years", "Submit", saga("g", ["a"], { options: [OPTION.requestTimeout(400_000_000)] })],
    ["a number that no JS number holds", "Submit", saga("g", ["a"], { options: [OPTION.retryInterval(2n ** 60n)] })],
    ["a delay over ten years", "Submit", msg("g", ["a"], { customData: '{"delay":400000000}' })],
    ["a header's name that HTTP refuses", "Submit", saga("g", ["a"], { options: [OPTION.branchHeader("a b", "c")] })],
    ["a header's value that HTTP refuses", "Submit", saga("g", ["a"], { options: [OPTION.branchHeader("a", "b\nc")] })],
    ["a url over its column", "Submit", saga("g", ["a".repeat(1025)])],
    ["a custom_data over its column", "Submit", saga("g", ["a"], { customData: JSON.stringify({ a: "b".repeat(1024) }) })],
    ["orders out of range", "Submit", saga("g", ["a"], { customData: '{"concurrent":true,"orders":{"0":[7]}}' })],
    ["orders in a circle", "Submit", saga("g", ["a", "b"], { customData: '{"concurrent":true,"orders":{"0":[1],"1":[0]}}' })],
    ["more steps than payloads", "Submit", transaction({ gid: "g", type: "saga", steps: oneStep })],
    ["a payload over 1 MiB", "Submit", saga("g", ["a"], { payloads: [Buffer.alloc(1024 * 1024 + 1)] })],
    ["steps that are not JSON", "Submit", saga("g", ["a"], { steps: "[{" })],
    ["steps that are not a list", "Submit", saga("g", ["a"], { steps: '{"action":"a"}' })],
    ["a step that is no object", "Submit", saga("g", ["a"], { steps: '["a"]' })],
    ["a step whose url is no text", "Submit", saga("g", ["a"], { steps: '[{"action":1}]' })],
    ["a workflow's end that is none", "Submit", transaction({ gid: "g", type: "workflow", extra: { status: "done" } })],
    ["a branch without gid", "RegisterBranch", tccBranch("")],
    [
      "a branch whose url is over its column",
      "RegisterBranch",
      branch({ gid: "g", type: "tcc", branchId: "1", data: { confirm: "c".repeat(1025) } }),
    ],
    ["a saga begun as a workflow", "PrepareWorkflow", saga("g", ["a"])],
    ["a message that ends early", "Submit", message(text(1, "g"), Buffer.from([0x12, 0x7f]))],
    ["bytes that are no message", "Submit", Buffer.from("this is no protobuf at all")],
    ["a field of another kind", "Submit", message(whole(1, 5), text(2, "saga"))],
    ["groups in groups in groups", "Submit", Buffer.alloc(100_000, 0x0b)],
    ["a group that decoders pass over", "Prepare", message(Buffer.from([0x7b, 0x7c]), tcc("g"))],
    ["a length that is 0 when cut to 32 bits", "Prepare", message(Buffer.from([0x7a, 0x80, 0x80, 0x80, 0x80, 0x10]), tcc("g"))],
    ["a gid that is no UTF-8", "Prepare", message(bytes(1, Buffer.from([0x67, 0xd5, 0xc5])), text(2, "tcc"))],
    [
      "a header that is no UTF-8",
      "Prepare",
      message(tcc("g"), bytes(3, bytes(5, message(text(1, "x"), bytes(2, Buffer.from([0xd5])))))),
    ],
    ["a topic over 128 characters", "Subscribe", topic("t".repeat(129), "http://a")],
  ])("%s", async (_name, method, request) => {
    const answer = await client.dtm(method, request);
    expect(answer.code).toBe(INVALID_ARGUMENT);
    expect(answer.message).not.toBe("");
    expect((await node.store.list({ limit: 10 })).transactions).toEqual([]);
    expect(await node.store.findKeys({ cat: "", key: "" })).toEqual([]);
    expect(node.logged.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a map may carry any name", async () => {
    const options = ["__proto__", "constructor", "toString"].map((name) => OPTION.branchHeader(name, "x"));
    await ok(client.dtm("Prepare", transaction({ gid: "g", type: "tcc", options })));
    expect(node.stored("g").transaction.options.branchHeaders).toMatchObject({ constructor: "x", toString: "x" });
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});

describe("size", () => {
  const LIMIT = 4 * 1024 * 1024;

  /** A tcc whose message is exactly `size` bytes; field 20 is unknown and passed over. */
  function sized(size: number): Buffer {
    const rest = tcc("g");
    const header = bytes(20, Buffer.alloc(LIMIT - 100)).length - (LIMIT - 100);
    return message(rest, bytes(20, Buffer.alloc(size - rest.length - header)));
  }

  test("4 MiB are taken", async () => {
    expect(sized(LIMIT)).toHaveLength(LIMIT);
    await ok(client.dtm("Prepare", sized(LIMIT)));
  });

  test("one byte more is RESOURCE_EXHAUSTED, and the connection serves on (R17)", async () => {
    expect(await client.dtm("Prepare", sized(LIMIT + 1))).toMatchObject({ code: RESOURCE_EXHAUSTED });
    expect(node.store.peek("g")).toBeNull();
    await ok(client.dtm("NewGid"));
  });

  test("so is what only unpacks to more", async () => {
    const packing = new Client(`127.0.0.1:${node.listener.port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.default_compression_algorithm": 2,
    });
    const asBytes = (sent: Buffer): Buffer => sent;
    const code = await new Promise<number>((resolve) => {
      const request = Buffer.alloc(2 * LIMIT);
      packing.makeUnaryRequest("/dtmgimp.Dtm/Prepare", asBytes, asBytes, request, (cause) => resolve(cause?.code ?? OK));
    });
    packing.close();
    expect(code).toBe(RESOURCE_EXHAUSTED);
    await ok(client.dtm("NewGid"));
  });
});

describe("a store that fails", () => {
  test.each<[string, Error, number]>([
    ["can't answer", new StoreUnavailable("connection lost to 10.0.0.1"), UNAVAILABLE],
    ["has too much to do", new StoreOverloaded("10000 operations wait"), UNAVAILABLE],
    ["refuses the data", new StoreRejected("no such place"), UNKNOWN],
    ["has a defect", new TypeError("x is not a function"), INTERNAL],
  ])("%s", async (_name, cause, code) => {
    node.store.create = () => Promise.reject(cause);
    const answer = await client.dtm("Prepare", tcc("g"));
    expect(answer.code).toBe(code);
    expect(answer.message).not.toContain("10.0.0.1");
    expect(answer.message).not.toContain("not a function");
  });

  test("a defect is logged once, with its cause", async () => {
    const cause = new TypeError("x is not a function");
    node.store.create = () => Promise.reject(cause);
    await client.dtm("Prepare", tcc("g"));
    expect(node.logged.filter(({ level }) => level === "error")).toMatchObject([{ fields: { api: "prepare", err: cause } }]);
  });
});
