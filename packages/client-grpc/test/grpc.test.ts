/** What is gRPC's own: codecs, addresses, codes. The surface as a whole is tried on real coordinators in surface.int.test.ts. */
import { getEventListeners } from "node:events";
import { createServer } from "node:http";
import { constants, createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { coordinatorOf, toWireOptions } from "@dtm/client-core/internal";
import { BRANCH_KEYS, dtmgimp } from "@dtm/protocol";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type StatusObject,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { GrpcClient, type GrpcClientOptions, grpcBranch, grpcTopic, noCompensation } from "../src/index.js";
import { type Participants, startGrpcParticipants } from "./kit/participants.js";
import { until } from "./kit/until.js";

const METHODS = dtmgimp.DtmService;
type Message = dtmgimp.DtmTopicRequest;
const message: Message = { Topic: "t", URL: "u", Remark: "r" };

let coordinator: Server;
let port = 0;
let services: Participants;
let calls: { readonly method: string; readonly request: unknown; readonly metadata: Readonly<Record<string, unknown>> }[];
let answer: (method: string) => Partial<StatusObject>;
const clients: GrpcClient[] = [];
/** An answer that doesn't come. */
const NEVER: Partial<StatusObject> = {};

beforeAll(async () => {
  services = await startGrpcParticipants();
  coordinator = coordinatorServer();
  port = await listen(coordinator, 0);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await services.stop();
  coordinator.forceShutdown();
});
beforeEach(() => {
  calls = [];
  answer = () => ({});
});

function coordinatorServer(): Server {
  const server = new Server();
  const implementation: UntypedServiceImplementation = {};
  for (const method of Object.keys(METHODS)) {
    implementation[method] = (call: ServerUnaryCall<unknown, object>, done: sendUnaryData<object>) => {
      calls.push({ method, request: call.request, metadata: call.metadata.getMap() });
      const given = answer(method);
      if (given === NEVER) return;
      if ("code" in given) done(given);
      else done(null, given);
    };
  }
  server.addService(METHODS, implementation);
  return server;
}

function listen(server: Server, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${at}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}

function open(options: Partial<GrpcClientOptions> = {}): GrpcClient {
  const client = new GrpcClient({ server: `127.0.0.1:${port}`, timeoutMs: 20_000, ...options });
  clients.push(client);
  return client;
}

test("messages by their own codec, and an answer back", async () => {
  const target = services.url("Echo").split("/")[0] ?? "";
  const echo = grpcBranch(target, {
    ...METHODS.subscribe,
    path: "/test.Bank/Echo",
    responseDeserialize: METHODS.subscribe.requestDeserialize,
  });
  services.answer("Echo", (call) => ({ kind: "success", body: call.body }));
  const client = open();
  const reply = await client.tcc(async (tcc) =>
    echo.decode(await tcc.branch({ try: echo, confirm: echo, cancel: echo, payload: message })),
  );
  expect(reply).toEqual(message);
  const registered = calls.find(({ method }) => method === "registerBranch")?.request as dtmgimp.DtmBranchRequest;
  expect(METHODS.subscribe.requestDeserialize(registered.BusiPayload)).toEqual(message);
  expect(registered.Data).toEqual({ confirm: echo.url, cancel: echo.url });
});

test("an address that only a coordinator may know is refused before a branch is registered with it", async () => {
  const client = open();
  for (const url of ["nacos://bank/b.B/c", "topic://debits", "ftp://bank/x"]) {
    const branch = client.tcc((tcc) => tcc.branch({ try: url, confirm: "bank:1/b.B/c", cancel: "bank:1/b.B/c" }));
    await expect(branch).rejects.toMatchObject({ code: "STEP_INVALID" });
  }
  expect(calls.map(({ method }) => method)).not.toContain("registerBranch");
  expect(() => new GrpcClient(undefined as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("a try is sent once, also when its server refuses the stream", async () => {
  const { target, streams, close } = await resetting(constants.NGHTTP2_REFUSED_STREAM);
  const parts = { try: `${target}/b.B/try`, confirm: `${target}/b.B/confirm`, cancel: `${target}/b.B/cancel` };
  await expect(open().tcc((tcc) => tcc.branch(parts))).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
  expect(streams).toEqual(["/b.B/try"]);
  await close();
});

test("a waiting submit whose stream was broken off may still arrive: it isn't told as refused, though nothing is stored yet", async () => {
  const { target, streams, close } = await resetting(constants.NGHTTP2_INTERNAL_ERROR);
  const nothing = createServer((_, response) => void response.end('{"branches":[],"transaction":null}'));
  await new Promise<void>((resolve) => nothing.listen(0, "127.0.0.1", resolve));
  const client = open({ server: target, httpServer: `http://127.0.0.1:${portOf(nothing)}` });
  const saga = client.saga({ gid: "g1" }).step({ action: "b:1/b.B/c", compensate: noCompensation() });
  await expect(saga.submit({ waitResult: true })).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
  expect(streams.length).toBeGreaterThan(1);
  await close();
  nothing.close();
});

/** A server of gRPC that ends each stream with the code. */
async function resetting(code: number): Promise<{ target: string; streams: readonly string[]; close: () => Promise<void> }> {
  const streams: string[] = [];
  const sessions: ServerHttp2Session[] = [];
  const server = createHttp2Server().on("session", (session) => void sessions.push(session));
  server.on("stream", (stream, headers) => {
    streams.push(String(headers[":path"]));
    stream.on("error", () => undefined);
    stream.close(code);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    target: `127.0.0.1:${portOf(server)}`,
    streams,
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

test("payloads and addresses that gRPC can't carry", () => {
  const client = open();
  const debit = grpcBranch("bank:1", METHODS.subscribe);
  const saga = client.saga();
  saga.step({ action: debit, compensate: noCompensation(), payload: message });
  saga.step({ action: "bank:1/b.B/c", compensate: noCompensation(), payload: Buffer.from("x") });
  saga.step({ action: "http://bank/debit", compensate: noCompensation(), payload: { json: true } });
  client.msg().topic(grpcTopic("news", METHODS.subscribe), message);
  const invalid = (code: string): Error => expect.objectContaining({ code }) as Error;
  expect(() => saga.step({ action: "bank:1/b.B/c", compensate: noCompensation(), payload: { json: true } })).toThrow(
    invalid("PAYLOAD_INVALID"),
  );
  expect(() => saga.step({ action: debit, compensate: noCompensation(), payload: null as unknown as Message })).toThrow(
    invalid("PAYLOAD_INVALID"),
  );
  expect(() => saga.step({ action: "bank:1", compensate: noCompensation() })).toThrow(invalid("STEP_INVALID"));
  expect(() => saga.step({ action: "bank:1/method", compensate: noCompensation() })).toThrow(invalid("STEP_INVALID"));
  expect(() => grpcBranch("http://bank", METHODS.subscribe)).toThrow(invalid("STEP_INVALID"));
  expect(() => client.msg({ concurrent: true })).toThrow(invalid("OPTION_INVALID"));
  for (const server of ["http://h:1", "h", "", "h:x"]) expect(() => open({ server })).toThrow(invalid("OPTION_INVALID"));
  expect(() => open({ httpServer: "h:1" })).toThrow(invalid("OPTION_INVALID"));
  expect(calls).toEqual([]);
});

export function compiles(client: GrpcClient): void {
  const query = grpcBranch("bank:1", METHODS.subscribe);
  void client.msg().prepare(query);
  void client.msg().doAndSubmit(query, () => 1);
}

export function doesNotCompile(client: GrpcClient): void {
  const debit = grpcBranch("bank:1", METHODS.subscribe);
  // @ts-expect-error the topic's message is missing
  client.msg().topic(grpcTopic("t", METHODS.subscribe));
  // @ts-expect-error another message
  client.saga().step({ action: debit, compensate: debit, payload: { Gid: "x" } });
  // @ts-expect-error the message is missing
  client.saga().step({ action: debit, compensate: debit });
  // @ts-expect-error the undo takes another message
  client.saga().step({ action: debit, compensate: grpcBranch("bank:1", METHODS.submit), payload: message });
}

const submit = (client: GrpcClient): Promise<unknown> =>
  client.saga({ gid: "g1" }).step({ action: "b:1/b.B/c", compensate: noCompensation() }).submit();

test.each([
  ["INVALID_ARGUMENT", status.INVALID_ARGUMENT, "x", "COORDINATOR_REFUSED", 1],
  ["UNAUTHENTICATED", status.UNAUTHENTICATED, "x", "COORDINATOR_REFUSED", 1],
  ["UNIMPLEMENTED, of something else that listens there", status.UNIMPLEMENTED, "x", "COORDINATOR_REFUSED", 1],
  ["RESOURCE_EXHAUSTED", status.RESOURCE_EXHAUSTED, "x", "COORDINATOR_REFUSED", 1],
  ["INTERNAL in dtm's words of a refusal", status.INTERNAL, "topic not found", "COORDINATOR_REFUSED", 1],
  ["INTERNAL", status.INTERNAL, "x", "COORDINATOR_ERROR", 4],
  ["UNKNOWN", status.UNKNOWN, "x", "COORDINATOR_ERROR", 4],
  ["UNAVAILABLE", status.UNAVAILABLE, "x", "COORDINATOR_UNREACHABLE", 4],
  ["ABORTED, too late", status.ABORTED, "current status 'succeed', cannot sumbmit. FAILURE", "TRANSACTION_CONFLICT", 1],
])("a submit answered with %s", async (_, code, details, result, times) => {
  answer = () => ({ code, details });
  await expect(submit(open())).rejects.toMatchObject({ code: result });
  expect(calls.length).toBe(times);
  expect(new Set(calls.map(({ request }) => (request as dtmgimp.DtmRequest).Gid))).toEqual(new Set(["g1"]));
});

describe.each([
  ["UNAUTHENTICATED", status.UNAUTHENTICATED],
  ["PERMISSION_DENIED", status.PERMISSION_DENIED],
])("a waiting caller is answered %s", (_, code) => {
  const waiting = { waitResult: true };
  const denied = { code, details: "the token is wrong" };
  const refused = { code: "COORDINATOR_REFUSED", message: expect.stringContaining("the token is wrong") as unknown };
  const client = () => open({ httpServer: "http://127.0.0.1:9", timeoutMs: 2_000 });
  const saga = () => client().saga().step({ action: "b:1/b.B/c", compensate: noCompensation() });

  test("himself, as to every call: a refusal", async () => {
    answer = () => denied;
    await expect(saga().submit(waiting)).rejects.toMatchObject(refused);
    expect(calls.map(({ method }) => method)).toEqual(["submit", "newGid"]);
    const msg = client().msg(waiting).step({ action: "b:1/b.B/c" });
    await expect(msg.prepare("b:1/b.B/q")).rejects.toMatchObject(refused);
    expect(calls.map(({ method }) => method)).toEqual(["submit", "newGid", "prepare"]);
  });

  test("for a branch that denied the coordinator: nothing that is known of the submit", async () => {
    answer = (method) => (method === "submit" ? denied : ({ Gid: "g" } as Partial<StatusObject>));
    await expect(saga().submit(waiting)).rejects.toMatchObject({ code: "COORDINATOR_ERROR" });
  });
});

test("a gid or a workflow's name that metadata can't carry is refused, and nothing is sent", async () => {
  const client = open();
  const refused = (what: string) => ({
    code: "OPTION_INVALID",
    message: expect.stringContaining(`${what}: expected visible ASCII`) as unknown,
  });
  const work = jest.fn();
  for (const text of ["bestellung-\u00e4", "\u6ce8\u6587", " g", "g\u007f"]) {
    const saga = client.saga({ gid: text }).step({ action: "b:1/b.B/c", compensate: noCompensation() });
    await expect(saga.submit()).rejects.toMatchObject(refused("gid"));
    const msg = client.msg({ gid: text }).step({ action: "b:1/b.B/c" });
    await expect(msg.doAndSubmit("b:1/b.B/q", work)).rejects.toMatchObject(refused("gid"));
    await expect(client.tcc({ gid: text }, work)).rejects.toMatchObject(refused("gid"));
    const workflow = {
      transType: "workflow" as const,
      options: toWireOptions({}),
      queryPrepared: "b:1/workflow.Workflow/Execute",
    };
    const coordinator = coordinatorOf(client);
    const named = { ...workflow, gid: "g1", customData: JSON.stringify({ name: text, data: "" }) };
    await expect(coordinator.prepareWorkflow(named, {})).rejects.toMatchObject(refused("name"));
    await expect(coordinator.prepareWorkflow({ ...workflow, gid: text }, {})).rejects.toMatchObject(refused("gid"));
  }
  expect(() => client.saga({ gid: "g " })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(work).not.toHaveBeenCalled();
  expect(calls).toEqual([]);
  await client.tcc({ gid: "order 7: A~" }, () => 1);
  await client.msg({ gid: "\u6ce8\u6587" }).step({ action: "b:1/b.B/c" }).abort();
  expect(calls.map(({ method }) => method)).toEqual(["prepare", "submit", "abort"]);
});

test("a restarting coordinator is met again by the repeats", async () => {
  answer = () => (calls.length < 3 ? { code: status.UNAVAILABLE, details: "stopping" } : {});
  await submit(open());
  expect(calls.length).toBe(3);
});

/** Can stop carrying what it accepted so far, without a word to either side. */
async function startProxy(to: number): Promise<{ at: number; accepted: () => number; silence: () => void; end: () => void }> {
  const pairs: { carries: boolean; readonly ends: readonly [Socket, Socket] }[] = [];
  const proxy = createTcpServer((near) => {
    const far = connect(to, "127.0.0.1");
    const pair = { carries: true, ends: [near, far] as const };
    pairs.push(pair);
    near.on("data", (bytes) => pair.carries && far.write(bytes)).on("error", () => undefined);
    far.on("data", (bytes) => pair.carries && near.write(bytes)).on("error", () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  const at = address !== null && typeof address === "object" ? address.port : 0;
  const silence = (): void => {
    for (const pair of pairs) pair.carries = false;
  };
  const end = (): void => {
    for (const { ends } of pairs) for (const socket of ends) socket.destroy();
    proxy.close();
  };
  return { at, accepted: () => pairs.length, silence, end };
}

describe("a connection on which nothing comes", () => {
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  beforeEach(async () => {
    proxy = await startProxy(port);
    answer = () => ({ Gid: "g" }) as Partial<StatusObject>;
  });
  afterEach(() => proxy.end());
  const late = { code: "DEADLINE_EXCEEDED" };

  test("is given up for a new one when it was lost without a word", async () => {
    const client = open({ server: `127.0.0.1:${proxy.at}` });
    await client.newGid();
    proxy.silence();
    await expect(client.newGid({ timeoutMs: 200 })).rejects.toMatchObject(late);
    const met = () => client.newGid({ timeoutMs: 1_000 }).catch(() => undefined);
    expect(await until("the coordinator is met again", met)).toBe("g");
    expect(await client.newGid()).toBe("g");
  });

  test("is given up too when callers' signals end their calls", async () => {
    const client = open({ server: `127.0.0.1:${proxy.at}` });
    await client.newGid();
    proxy.silence();
    await expect(client.newGid({ signal: AbortSignal.timeout(1_200) })).rejects.toMatchObject(late);
    expect(await client.newGid()).toBe("g");
  });

  test("is cut for nobody, and costs fewer new ones while its calls last", async () => {
    const client = open({ server: `127.0.0.1:${proxy.at}` });
    await client.newGid();
    answer = () => NEVER;
    const start = performance.now();
    const controller = new AbortController();
    let over = false;
    const saga = client.saga().step({ action: "b:1/b.B/c", compensate: noCompensation() });
    const slow = saga.submit({ signal: controller.signal, timeoutMs: 600_000 }).catch(() => {
      over = true;
    });
    await until("the submit has come", () => (calls.some(({ method }) => method === "submit") ? true : undefined));
    const ask = () => client.newGid({ timeoutMs: 200 }).catch(() => undefined);
    for (let elapsedMs = 0; elapsedMs < 2_900; elapsedMs = performance.now() - start) {
      await ask();
      // The first new one after a second at least, and each further one two seconds later, since the submit keeps the first.
      expect(proxy.accepted()).toBeLessThanOrEqual(1 + Math.floor((performance.now() - start + 1_000) / 2_000));
    }
    await until("a new connection is made", async () => {
      await ask();
      return proxy.accepted() > 1 ? true : undefined;
    });
    expect(over).toBe(false);
    controller.abort();
    await slow;
  });
});

test("a coordinator that is back is met at once, however long the channel would still hold back", async () => {
  const dials: number[] = [];
  const outage = createTcpServer((socket) => {
    dials.push(performance.now());
    socket.destroy();
  });
  await new Promise<void>((resolve) => outage.listen(0, "127.0.0.1", resolve));
  const address = outage.address();
  const at = address !== null && typeof address === "object" ? address.port : 0;
  const client = open({ server: `127.0.0.1:${at}`, timeoutMs: 10_000 });
  const { transport } = coordinatorOf(client);
  // The next dial is 0.8 s away then, and without a wait for it four tries take 0.7 s at most.
  await until("the channel dials once a second", async () => {
    await transport.newGid({ timeoutMs: 1_000 });
    const [last = 0, before = last] = dials.slice(-2).reverse();
    return last - before > 900 && performance.now() - last < 50 ? true : undefined;
  });
  await new Promise((resolve) => outage.close(resolve));
  const back = coordinatorServer();
  await listen(back, at);
  try {
    await Promise.all([submit(client), client.registerXaBranch({ gid: "g1", branchId: "01", url: "b:1/b.B/c" })]);
    expect(calls.map(({ method }) => method).sort()).toEqual(["registerBranch", "submit"]);
  } finally {
    back.forceShutdown();
  }
});

describe("nobody listens", () => {
  const nobody = (timeoutMs: number) => open({ server: "127.0.0.1:1", timeoutMs });
  const refused = { code: "COORDINATOR_UNREACHABLE", message: expect.stringContaining("ECONNREFUSED") as unknown };
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };

  test.each([1_000, 20_000])("a submit ends inside its %i ms: unreachable, with the reason", async (timeoutMs) => {
    const took = await timed(() => expect(submit(nobody(timeoutMs))).rejects.toMatchObject(refused));
    expect(took).toBeLessThan(timeoutMs + 500);
  });

  test("the first try doesn't wait for a connection", async () => {
    const { transport } = coordinatorOf(nobody(20_000));
    const took = await timed(async () => {
      expect(await transport.newGid({ timeoutMs: 20_000 })).toMatchObject({ kind: "silent", timedOut: false });
    });
    expect(took).toBeLessThan(1_000);
  });

  test.each([
    ["the client's close()", "CLIENT_CLOSED"],
    ["its caller", "DEADLINE_EXCEEDED"],
  ])("the wait for a connection is ended by %s", async (by, code) => {
    const client = nobody(600_000);
    const controller = new AbortController();
    const took = await timed(async () => {
      const sent = client.registerXaBranch({ gid: "g1", branchId: "01", url: "b:1/b.B/c" }, { signal: controller.signal });
      setTimeout(() => (by === "its caller" ? controller.abort() : client.close()), 100);
      await expect(sent).rejects.toMatchObject({ code, gid: "g1" });
    });
    expect(took).toBeLessThan(1_000);
  });
});

test("close() in the middle of a wait for a connection leaves no timer that holds the process", async () => {
  const started = jest.spyOn(globalThis, "setTimeout");
  const cleared = jest.spyOn(globalThis, "clearTimeout");
  try {
    const client = open({ server: "127.0.0.1:1", timeoutMs: 600_000 });
    const sent = client.registerXaBranch({ gid: "g1", branchId: "01", url: "b:1/b.B/c" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.close();
    await expect(sent).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    const isCleared = (timer: unknown): boolean => cleared.mock.calls.some(([given]) => given === timer);
    const left = started.mock.calls.filter(([, ms], at) => {
      const timer: NodeJS.Timeout = started.mock.results[at]?.value;
      return ms !== undefined && ms > 1_000 && timer.hasRef() && !isCleared(timer);
    });
    expect(left).toEqual([]);
  } finally {
    started.mockRestore();
    cleared.mockRestore();
  }
});

test("a coordinator that takes too long isn't unreachable", async () => {
  answer = () => NEVER;
  const late = { code: "DEADLINE_EXCEEDED", message: expect.stringContaining("within 300 ms") as unknown };
  const client = open({ timeoutMs: 300 });
  await expect(client.newGid()).rejects.toMatchObject(late);
  await expect(submit(client)).rejects.toMatchObject({ ...late, gid: "g1" });
});

test("many calls share one listener of their signal, and leave none behind", async () => {
  const { signal } = new AbortController();
  let most = 0;
  answer = () => {
    most = Math.max(most, getEventListeners(signal, "abort").length);
    return { Gid: "g" } as Partial<StatusObject>;
  };
  const client = open();
  await Promise.all(Array.from({ length: 50 }, () => client.newGid({ signal })));
  expect(calls.length).toBe(50);
  expect(most).toBe(1);
  expect(getEventListeners(signal, "abort").length).toBe(0);
});

test("without an HTTP address there is no query, and a waiting submit isn't sent", async () => {
  const client = open();
  const needed = { code: "OPTION_INVALID", message: expect.stringContaining("httpServer") as unknown };
  await expect(client.query("g1")).rejects.toMatchObject(needed);
  await expect(client.waitFor("g1")).rejects.toMatchObject(needed);
  await expect(
    client.saga().step({ action: "b:1/b.B/c", compensate: noCompensation() }).submit({ waitResult: true }),
  ).rejects.toMatchObject(needed);
  await expect(client.tcc({ waitResult: true }, () => 1)).rejects.toMatchObject(needed);
  const work = jest.fn();
  const msg = (waitResult: boolean) => client.msg({ waitResult }).step({ action: "b:1/b.B/c" });
  await expect(msg(false).doAndSubmit("b:1/b.B/q", work, { waitResult: true })).rejects.toMatchObject(needed);
  await expect(msg(true).doAndSubmit("b:1/b.B/q", work)).rejects.toMatchObject(needed);
  await expect(msg(true).prepare("b:1/b.B/q")).rejects.toMatchObject(needed);
  expect(work).not.toHaveBeenCalled();
  expect(calls).toEqual([]);
});

test("the usual ports need no HTTP address", async () => {
  // Nobody listens there, so asking gets as far as the network.
  const client = open({ server: "127.0.0.2:36790" });
  await expect(client.query("g1", { timeoutMs: 2_000 })).rejects.toMatchObject({
    code: "COORDINATOR_UNREACHABLE",
    message: expect.stringContaining("127.0.0.2:36789") as unknown,
  });
});

test("token and metadata go to our own coordinator only", async () => {
  const client = open({ token: "s3cret", headers: { "x-team": "a" } });
  await submit(client);
  expect(calls[0]?.metadata).toMatchObject({ authorization: "Bearer s3cret", "x-team": "a" });
  await client.registerXaBranch({ gid: "g1", branchId: "01", url: "b:1/b.B/c", coordinator: `localhost:${port}` });
  expect(calls[1]).toMatchObject({
    method: "registerBranch",
    request: { Gid: "g1", TransType: "xa", BranchID: "01", Data: { url: "b:1/b.B/c" } },
  });
  expect(calls[1]?.metadata["authorization"]).toBeUndefined();
  expect(calls[1]?.metadata["x-team"]).toBeUndefined();
});

test("a branch at an HTTP address is told where the coordinator answers HTTP, if that is known", async () => {
  const told: (string | null)[] = [];
  const service = createServer((request, response) => {
    told.push(new URL(request.url ?? "", "http://x").searchParams.get(BRANCH_KEYS.coordinator));
    response.end("{}");
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  try {
    const bound = service.address();
    const url = `http://127.0.0.1:${bound !== null && typeof bound === "object" ? bound.port : 0}/branch`;
    const branch = { try: url, confirm: url, cancel: url };
    await open({ httpServer: "http://127.0.0.1:9" }).tcc((tcc) => tcc.branch(branch));
    await open().tcc((tcc) => tcc.branch(branch));
    expect(told).toEqual(["http://127.0.0.1:9/api/dtmsvr", `127.0.0.1:${port}`]);
  } finally {
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
  }
});

test("nested branches of our own coordinator are registered over gRPC, also when it was named as it answers HTTP", async () => {
  const client = open({ httpServer: "http://127.0.0.1:9", token: "s3cret" });
  services.answer("Nested", () => ({ kind: "success" }));
  const url = services.url("Nested");
  const parent = { gid: "g1", transType: "tcc", branchId: "01", coordinator: "http://127.0.0.1:9/api/dtmsvr" };
  await client.tccFrom(parent).branch({ try: url, confirm: url, cancel: url });
  expect(calls).toMatchObject([
    { method: "registerBranch", request: { BranchID: "0101" }, metadata: { authorization: "Bearer s3cret" } },
  ]);
  const elsewhere = { ...parent, coordinator: "http://127.0.0.1:8" };
  await expect(client.tccFrom(elsewhere).branch({ try: url, confirm: url, cancel: url })).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
});

test("a signal ends a call under way", async () => {
  const controller = new AbortController();
  answer = () => {
    controller.abort(new Error("enough"));
    return { code: status.UNAVAILABLE, details: "late" };
  };
  const client = open();
  await expect(client.newGid({ signal: controller.signal })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(calls.length).toBe(1);
});

test("close() ends a call under way, and nothing is sent after it", async () => {
  const client = open({ timeoutMs: 600_000 });
  answer = () => {
    setImmediate(() => client.close());
    return NEVER;
  };
  await expect(submit(client)).rejects.toMatchObject({ code: "CLIENT_CLOSED", gid: "g1" });
  expect(calls.length).toBe(1);
  const { transport } = coordinatorOf(client);
  const invocation = { gid: "g1", transType: "tcc" as const, branchId: "01", op: "try", headers: {} };
  const closed = { code: "CLIENT_CLOSED" };
  await expect(transport.newGid({ timeoutMs: 1_000 })).rejects.toMatchObject(closed);
  for (const url of ["127.0.0.1:1/b.B/c", "http://127.0.0.1:1/x"])
    await expect(transport.callBranch({ ...invocation, url }, { timeoutMs: 1_000 })).rejects.toMatchObject(closed);
});
