import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { paramsOf } from "./json-rpc.js";
import { openParticipants } from "./open.js";
import type { Invocation, Outcome } from "./participant.js";

// A loaded machine may stand still for seconds; nothing here measures time.
jest.setTimeout(30_000);

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

async function ask(
  reply: string | Buffer,
  change: Partial<Invocation> = {},
  path = "/rpc?method=debit&x=1",
): Promise<{ outcome: Outcome; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({
      method: request.method,
      url: request.url,
      type: request.headers["content-type"],
      body: Buffer.concat(chunks).toString(),
    });
    response.end(reply);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const participants = openParticipants();
  const outcome = await participants.call({
    ...call,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    ...change,
  });
  await participants.close();
  await new Promise((resolve) => server.close(resolve));
  return { outcome, seen };
}

const call: Invocation = {
  url: "",
  protocol: "json-rpc",
  gid: "g1",
  type: "saga",
  branchId: "01",
  op: "action",
  payload: Buffer.from('{"amount":30}'),
  headers: {},
  timeoutMs: 25_000,
};
const DONE = '{"jsonrpc":"2.0","id":"1","result":{},"error":null}';

test("a call is a POST to the URL as it is, with the call's fields in params (protocol.md 3.4)", async () => {
  const { outcome, seen } = await ask(DONE);
  expect(outcome).toEqual({ kind: "success" });
  expect(seen).toMatchObject([{ method: "POST", url: "/rpc?method=debit&x=1", type: "application/json" }]);
  expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
    jsonrpc: "2.0",
    method: "debit",
    params: { amount: 30, gid: "g1", trans_type: "saga", branch_id: "01", op: "action" },
    id: expect.stringMatching(/.+/),
  });
});

test("the failure code is a failure, which Go never sees (Q3)", async () => {
  const { outcome } = await ask('{"jsonrpc":"2.0","id":"1","error":{"code":-32901,"message":"no money"}}');
  expect(outcome.kind).toBe("failure");
});

test("a URL without the word method is called over plain HTTP, though the protocol is json-rpc (3.1)", async () => {
  const { seen } = await ask("ok", {}, "/rpc");
  expect(seen).toMatchObject([{ url: "/rpc?branch_id=01&gid=g1&op=action&trans_type=saga", body: '{"amount":30}' }]);
});

test("the word elsewhere in the URL means JSON-RPC without a method", async () => {
  const { seen } = await ask(DONE, {}, "/method");
  expect(seen).toMatchObject([{ url: "/method" }]);
  expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({ method: "" });
});

test("query-prepared has no payload and works all the same (Q25)", async () => {
  const { outcome, seen } = await ask(DONE, { payload: Buffer.alloc(0), type: "msg", branchId: "00", op: "msg" });
  expect(outcome).toEqual({ kind: "success" });
  expect(JSON.parse(seen[0]?.body ?? "").params).toEqual({ gid: "g1", trans_type: "msg", branch_id: "00", op: "msg" });
});

test.each(["[1]", "3", '"text"', "{", "{} x"])("payload %s is a temporary error, and nothing is called", async (payload) => {
  const { outcome, seen } = await ask(DONE, { payload: Buffer.from(payload) });
  expect(outcome.kind).toBe("unknown");
  expect(seen).toHaveLength(0);
});

test("a reply that is not JSON is a temporary error (Q25)", async () => {
  expect((await ask("<html>")).outcome.kind).toBe("unknown");
});

test("a result longer than HTTP's 64 KiB is still read whole", async () => {
  expect((await ask(JSON.stringify({ result: "x".repeat(200_000) }))).outcome).toEqual({ kind: "success" });
});

test.each([
  ["", '{"gid":"g1","trans_type":"saga","branch_id":"01","op":"action"}'],
  ["null", '{"gid":"g1","trans_type":"saga","branch_id":"01","op":"action"}'],
  [" { } ", '{ ,"gid"'],
  ['{"a":12345678901234567890}', '{"a":12345678901234567890,"gid":"g1","trans_type":"saga","branch_id":"01","op":"action"}'],
  ['{"gid":"forged","a":1}', '{"gid":"g1","a":1,"trans_type":"saga","branch_id":"01","op":"action"}'],
  ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1},"gid":"g1","trans_type":"saga","branch_id":"01","op":"action"}'],
])("params of %j", (payload, expected) => {
  const params = paramsOf({ ...call, payload: Buffer.from(payload) });
  if (payload.trim() === "{ }") expect(JSON.parse(params ?? "")).toMatchObject({ gid: "g1" });
  else expect(params).toBe(expected);
});
