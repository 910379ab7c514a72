/** What HTTP answers mean, by a server that says anything: a coordinator, a gateway, or something else at its address. */
import { getEventListeners } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { coordinatorOf } from "@dtm/client-core/internal";
import { HttpClient, type HttpClientOptions, noCompensation } from "../src/index.js";

type Respond = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let server: Server;
let respond: Respond;
let requests: { readonly line: string; readonly body: string; readonly headers: IncomingMessage["headers"] }[];
let client: HttpClient;
const clients: HttpClient[] = [];

const reply =
  (status: number, body: string | object, headers: Readonly<Record<string, string>> = {}): Respond =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
const SUCCESS = reply(200, { dtm_result: "SUCCESS" });
const UNKNOWN_GID = reply(200, { branches: [], transaction: null });

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    requests.push({ line: `${request.method} ${request.url}`, body, headers: request.headers });
    respond(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  for (const each of clients) each.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  requests = [];
  client = open();
});

const origin = (): string => {
  const address = server.address();
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
};
function open(options: Partial<HttpClientOptions> = {}): HttpClient {
  const opened = new HttpClient({ server: origin(), ...options });
  clients.push(opened);
  return opened;
}
const lines = (): string[] => requests.map(({ line }) => line.replace(/\?.*/, ""));
const saga = (gid = "g1") =>
  client.saga({ gid }).step({ action: "http://a/do", compensate: noCompensation(), payload: { amount: 30 } });

test.each(["nacos://bank/debit", "topic://debits", "ftp://bank/debit"])(
  "%s: only a coordinator may know where that is, so nothing is prepared with it and no branch registered",
  async (url) => {
    respond = SUCCESS;
    const refused = { code: "STEP_INVALID", message: expect.stringContaining("call itself") as unknown };
    const parts = { try: url, confirm: "http://a", cancel: "http://a" };
    await expect(client.tcc((tcc) => tcc.branch(parts))).rejects.toMatchObject(refused);
    await expect(client.xa((xa) => xa.branch({ url }))).rejects.toMatchObject(refused);
    const work = jest.fn();
    await expect(client.msg().step({ action: "http://a" }).doAndSubmit(url, work)).rejects.toMatchObject(refused);
    expect(work).not.toHaveBeenCalled();
    expect(lines()).toEqual([
      "POST /api/dtmsvr/prepare",
      "POST /api/dtmsvr/abort",
      "POST /api/dtmsvr/prepare",
      "POST /api/dtmsvr/abort",
    ]);
  },
);

test("no options at all", () => {
  expect(() => new HttpClient(undefined as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("a submit is what dtm's own client sends", async () => {
  respond = SUCCESS;
  await client
    .saga({
      gid: "g1",
      timeoutToFailSeconds: 9,
      requestTimeoutSeconds: 8,
      retryIntervalSeconds: 7,
      retryLimit: 6,
      branchHeaders: { a: "b" },
    })
    .step({ action: "http://a/do", compensate: "http://a/undo", payload: { amount: 30 } })
    .step({ action: "http://b/do", compensate: noCompensation() })
    .concurrent()
    .submit();
  expect(lines()).toEqual(["POST /api/dtmsvr/submit"]);
  expect(JSON.parse(requests[0]?.body ?? "")).toEqual({
    gid: "g1",
    trans_type: "saga",
    steps: [{ action: "http://a/do", compensate: "http://a/undo" }, { action: "http://b/do" }],
    payloads: ['{"amount":30}', ""],
    custom_data: '{"concurrent":true}',
    timeout_to_fail: 9,
    request_timeout: 8,
    retry_interval: 7,
    retry_limit: 6,
    branch_headers: { a: "b" },
  });
  expect(requests[0]?.headers["content-type"]).toBe("application/json");
});

test.each([
  ["400", reply(400, { message: "bad" }), "400: bad"],
  ["401", reply(401, { message: "the token is missing or wrong" }), "401: the token"],
  ["403 from a proxy", reply(403, "<html>no</html>"), "403"],
  ["404", reply(404, "404 page not found"), "404 page not found"],
  ["413", reply(413, { message: "the body is over 4 MiB" }), "413"],
  ["a redirect, which isn't followed", reply(302, "", { location: "/elsewhere" }), "302"],
  ["a refusal in dtm's words", reply(500, { message: "topic not found" }), "topic not found"],
  ["a refusal in this coordinator's words", reply(500, { message: "action is longer than 1024 characters" }), "action is longer"],
  ["200 from something else", reply(200, "<html>hello</html>"), "is this its address?"],
  ["200 with a failure in it", reply(200, { dtm_result: "FAILURE", message: "x" }), "is this its address?"],
  ["204", reply(204, ""), "204"],
])("refused for good, and sent once: %s", async (_, answer, message) => {
  respond = answer;
  await expect(saga().submit()).rejects.toMatchObject({
    code: "COORDINATOR_REFUSED",
    message: expect.stringContaining(message) as unknown,
  });
  expect(lines()).toEqual(["POST /api/dtmsvr/submit"]);
});

test.each([408, 429, 500, 502, 503, 504])("%i is repeated with the same gid", async (status) => {
  respond = (...given) => (requests.length < 3 ? reply(status, { message: "later" }) : SUCCESS)(...given);
  await saga().submit();
  expect(lines()).toEqual(["POST /api/dtmsvr/submit", "POST /api/dtmsvr/submit", "POST /api/dtmsvr/submit"]);
  expect(new Set(requests.map(({ body }) => body)).size).toBe(1);
});

test.each(["before the answer", "inside the answer"])("a connection that is cut %s is repeated", async (where) => {
  respond = (request, response, body) => {
    if (requests.length > 1) return SUCCESS(request, response, body);
    if (where === "inside the answer") response.writeHead(200, { "content-length": "100" }).write('{"dtm_res');
    setImmediate(() => request.socket.destroy());
  };
  await saga().submit();
  expect(lines()).toEqual(["POST /api/dtmsvr/submit", "POST /api/dtmsvr/submit"]);
});

test("errors to the end: what is stored decides", async () => {
  respond = (request, ...rest) =>
    (request.url?.includes("query") ? UNKNOWN_GID : reply(500, { message: "disk full" }))(request, ...rest);
  await expect(saga().submit()).rejects.toMatchObject({
    code: "COORDINATOR_REFUSED",
    message: expect.stringContaining("disk full") as unknown,
  });
  expect(lines()).toEqual([...Array.from({ length: 4 }, () => "POST /api/dtmsvr/submit"), "GET /api/dtmsvr/query"]);
});

test("nobody listens: unreachable, with Node's own reason", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const address = closed.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  await new Promise((resolve) => closed.close(resolve));
  const nobody = open({ server: `http://127.0.0.1:${port}` });
  const run = nobody.saga({ gid: "g1" }).step({ action: "http://a/do", compensate: noCompensation() }).submit();
  await expect(run).rejects.toMatchObject({
    code: "COORDINATOR_UNREACHABLE",
    gid: "g1",
    message: expect.stringContaining("ECONNREFUSED") as unknown,
    cause: expect.objectContaining({ code: "ECONNREFUSED" }) as unknown,
  });
});

test("a coordinator that takes too long isn't unreachable", async () => {
  respond = () => undefined;
  const late = { code: "DEADLINE_EXCEEDED", message: expect.stringContaining("within 300 ms") as unknown };
  const patient = open({ timeoutMs: 300 });
  await expect(patient.newGid()).rejects.toMatchObject(late);
  await expect(patient.query("g1")).rejects.toMatchObject({ ...late, gid: "g1" });
  for (const waitResult of [false, true])
    await expect(saga().submit({ waitResult, timeoutMs: 300 })).rejects.toMatchObject({ ...late, gid: "g1" });
});

test("many calls share one listener of their signal, and leave none behind", async () => {
  const { signal } = new AbortController();
  let most = 0;
  respond = (...given) => {
    most = Math.max(most, getEventListeners(signal, "abort").length);
    reply(200, { gid: "g1" })(...given);
  };
  await Promise.all(Array.from({ length: 50 }, () => client.newGid({ signal })));
  expect(requests.length).toBe(50);
  expect(most).toBe(1);
  expect(getEventListeners(signal, "abort").length).toBe(0);
});

test("a registration is sent once", async () => {
  respond = (request, ...rest) =>
    (request.url?.includes("registerBranch") ? reply(503, { message: "x" }) : SUCCESS)(request, ...rest);
  const run = client.tcc({ gid: "g1" }, (tcc) =>
    tcc.branch({ try: "http://a/try", confirm: "http://a/c", cancel: "http://a/x", payload: 1 }),
  );
  await expect(run).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
  expect(lines()).toEqual(["POST /api/dtmsvr/prepare", "POST /api/dtmsvr/registerBranch", "POST /api/dtmsvr/abort"]);
  expect(JSON.parse(requests[1]?.body ?? "")).toEqual({
    gid: "g1",
    trans_type: "tcc",
    branch_id: "01",
    data: "1",
    confirm: "http://a/c",
    cancel: "http://a/x",
  });
  expect(JSON.parse(requests[2]?.body ?? "")).toMatchObject({
    trans_type: "tcc",
    rollback_reason: expect.stringContaining("registerBranch") as unknown,
  });
});

test.each([
  "data is 1048577 bytes; at most 1048576 (1 MiB)",
  "branch_id is longer than 128 characters",
  "confirm contains a NUL character",
  "the subscribers of topic t\nu don't fit into 1048576 bytes",
  "the stored subscribers of topic t can't be read: correct them in the store",
])("what is sent once and refused in this coordinator's words changed nothing: %s", async (message) => {
  respond = reply(500, { message });
  const refused = { code: "COORDINATOR_REFUSED", message: expect.stringContaining(message) as unknown };
  await expect(client.registerXaBranch({ gid: "g1", branchId: "01", url: "http://a" })).rejects.toMatchObject(refused);
  await expect(client.topics.subscribe("t", "http://a")).rejects.toMatchObject(refused);
  expect(lines()).toEqual(["POST /api/dtmsvr/registerBranch", "GET /api/dtmsvr/subscribe"]);
});

test("an error that quotes a refusal is none", async () => {
  respond = reply(500, { message: "disk full: data is 5 bytes; at most 4 (1 MiB)" });
  const registered = client.registerXaBranch({ gid: "g1", branchId: "01", url: "http://a" });
  await expect(registered).rejects.toMatchObject({ code: "COORDINATOR_ERROR" });
});

test.each([
  ["200", 200, '{"n":1}', "ok"],
  ["409", 409, "no", "FAILURE"],
  ["200 with the word of old clients", 200, '{"dtm_result":"FAILURE"}', "FAILURE"],
  ["425", 425, "", "ONGOING"],
  ["201", 201, "", "BRANCH_UNKNOWN"],
  ["a redirect", 307, "", "BRANCH_UNKNOWN"],
  ["500", 500, "", "BRANCH_UNKNOWN"],
])("a branch that answers %s is called once", async (_, status, body, result) => {
  respond = (request, ...rest) => (request.url?.startsWith("/branch") ? reply(status, body) : SUCCESS)(request, ...rest);
  const url = `${origin()}/branch?x=1#part`;
  const run = client
    .xa({ gid: "g 1" }, (xa) => xa.branch({ url, payload: { a: 1 }, headers: { "x-own": "y" } }))
    .then(
      (answer) => (JSON.stringify(answer.json()) === body ? "ok" : "another body"),
      (error: unknown) => Reflect.get(Object(error), "code") as unknown,
    );
  expect(await run).toBe(result);
  const calls = requests.filter(({ line }) => line.includes("/branch"));
  expect(calls).toHaveLength(1);
  const query = new URL(calls[0]?.line.split(" ")[1] ?? "", origin()).searchParams;
  expect(Object.fromEntries(query)).toEqual({
    x: "1",
    dtm: `${origin()}/api/dtmsvr`,
    gid: "g 1",
    branch_id: "01",
    trans_type: "xa",
    op: "action",
    phase2_url: url,
  });
  expect(calls[0]).toMatchObject({ body: '{"a":1}', headers: { "x-own": "y", "content-type": "application/json" } });
});

test("the token and headers go to our own coordinator only", async () => {
  respond = SUCCESS;
  const secured = open({ token: "s3cret", headers: { "x-team": "a" } });
  await secured.saga().step({ action: "http://a/do", compensate: noCompensation() }).submit();
  expect(requests[0]?.headers).toMatchObject({ authorization: "Bearer s3cret", "x-team": "a" });
  await secured.tcc({ gid: "g1" }, (tcc) => tcc.branch({ try: `${origin()}/try`, confirm: "http://a/c", cancel: "http://a/x" }));
  expect(requests.find(({ line }) => line.includes("/try"))?.headers.authorization).toBeUndefined();
  const elsewhere = origin().replace("127.0.0.1", "localhost");
  const { registerXaBranch: register } = secured;
  await register({ gid: "g1", branchId: "01", url: "http://a/xa", coordinator: `${elsewhere}/api/dtmsvr` });
  expect(requests.at(-1)?.line).toBe("POST /api/dtmsvr/registerBranch");
  expect(requests.at(-1)?.headers.authorization).toBeUndefined();
  expect(requests.at(-1)?.headers["x-team"]).toBeUndefined();
});

test("a registration that was refused for want of the token says which two coordinators weren't the same", async () => {
  respond = reply(401, { message: "a token is missing" });
  const registration = { gid: "g1", branchId: "01", url: "http://a/xa", coordinator: origin().replace("127.0.0.1", "localhost") };
  const told = `named the coordinator ${registration.coordinator}/api/dtmsvr, and this client's is ${origin()}/api/dtmsvr`;
  await expect(open({ token: "s3cret" }).registerXaBranch(registration)).rejects.toThrow(told);
  const bare = open().registerXaBranch(registration);
  await expect(bare).rejects.toThrow(/refused: 401: a token is missing$/);
  const own = open({ token: "s3cret" }).registerXaBranch({ ...registration, coordinator: origin() });
  await expect(own).rejects.toThrow(/refused: 401: a token is missing$/);
});

test("a branch call leaves out the headers that the coordinator leaves out", async () => {
  respond = SUCCESS;
  const branchHeaders = { "Content-Length": "5", "transfer-encoding": "chunked", connection: "close", te: "gzip", "x-own": "y" };
  const headers = { expect: "100-continue", "Accept-Encoding": "br" };
  const url = `${origin()}/branch`;
  await client.tcc({ branchHeaders }, (tcc) =>
    tcc.branch({ try: url, confirm: url, cancel: url, payload: { amount: 30 }, headers }),
  );
  const call = requests.find(({ line }) => line.includes("/branch"));
  expect(call).toMatchObject({ body: '{"amount":30}', headers: { "x-own": "y", "content-length": "13" } });
  for (const name of ["transfer-encoding", "te", "expect"]) expect(call?.headers[name]).toBeUndefined();
  expect(call?.headers.connection).not.toBe("close");
  expect(call?.headers["accept-encoding"]).not.toBe("br");
});

test("no secret in an error", async () => {
  const secured = open({ server: "http://127.0.0.1:1", token: "s3cret" });
  const error: unknown = await secured
    .saga()
    .step({ action: "http://a/do", compensate: noCompensation(), payload: "private" })
    .submit()
    .catch((reason: unknown) => reason);
  const { inspect } = await import("node:util");
  expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/s3cret|private/);
});

test.each([
  "http://h:1",
  "http://h:1/",
  "http://h:1/api/dtmsvr",
  "http://h:1/api/dtmsvr/",
  "https://gateway/dtm",
  "https://gateway/dtm/api/dtmsvr",
])("a server with or without its path: %s", (address) => {
  expect(() => open({ server: address })).not.toThrow();
});

test.each(["", "localhost:36789", "ftp://h", "http://", "http://h?x=1", undefined])("a server that is no URL: %p", (address) => {
  expect(() => new HttpClient({ server: address as string })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("addresses and tokens that HTTP can't carry", () => {
  expect(() => client.saga().step({ action: "localhost:50051/bank.Bank/Debit", compensate: noCompensation() })).toThrow(
    expect.objectContaining({ code: "STEP_INVALID" }),
  );
  expect(() => open({ token: "a b" })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(() => open({ headers: { "a\n": "b" } })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("query: what is stored, with dates and bytes", async () => {
  respond = reply(200, {
    transaction: {
      gid: "g1",
      trans_type: "saga",
      status: "failed",
      rollback_reason: "no FAILURE",
      create_time: "2026-01-02T03:04:05Z",
      rollback_time: null,
    },
    branches: [
      { branch_id: "01", op: "action", status: "failed", url: "http://a", bin_data: Buffer.from("x").toString("base64") },
    ],
  });
  expect(await client.query("g1")).toEqual({
    gid: "g1",
    transType: "saga",
    customData: "",
    status: "failed",
    rollbackReason: "no FAILURE",
    result: "",
    createdAt: new Date("2026-01-02T03:04:05Z"),
    finishedAt: null,
    rolledBackAt: null,
    branches: [{ branchId: "01", op: "action", status: "failed", url: "http://a", data: Buffer.from("x"), finishedAt: null }],
  });
  expect(requests[0]?.line).toBe("GET /api/dtmsvr/query?gid=g1");
});

test("connections are kept, and close() ends them", async () => {
  respond = SUCCESS;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  for (let n = 0; n < 5; n++) await saga(`g${n}`).submit();
  expect(sockets.size).toBe(1);
  const closed = Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  client.close();
  await closed;
});

test("close() ends a call under way, and nothing is sent after it", async () => {
  respond = () => client.close();
  await expect(saga().submit()).rejects.toMatchObject({ code: "CLIENT_CLOSED", gid: "g1" });
  expect(lines()).toEqual(["POST /api/dtmsvr/submit"]);
  const { transport } = coordinatorOf(client);
  const invocation = { url: `${origin()}/try`, gid: "g1", transType: "tcc" as const, branchId: "01", op: "try", headers: {} };
  await expect(transport.newGid({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  await expect(transport.callBranch(invocation, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  expect(requests.length).toBe(1);
});
