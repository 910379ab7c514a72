import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { dnsDriver } from "./driver.js";
import { GrpcCaller } from "./grpc.js";
import { GrpcChannel } from "./grpc-channel.js";
import { DEFAULT_PARTICIPANT_SETTINGS, openParticipants, type ParticipantSettings } from "./open.js";
import type { Invocation, Outcome, Participants } from "./participant.js";

// A loaded machine may stand still for seconds; nothing here measures time.
jest.setTimeout(30_000);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function participants(settings: Partial<ParticipantSettings> = {}): Participants {
  const opened = openParticipants(settings);
  closers.push(() => opened.close());
  return opened;
}

type Reply = (error: Partial<ServiceError> | null, reply?: Buffer) => void;
type Answer = (request: Buffer, metadata: Metadata, reply: Reply) => void;

const raw = { serialize: (bytes: Buffer) => bytes, deserialize: (bytes: Buffer) => bytes };

/** `/busi.Busi/Do`, without any message type. */
async function service(answer: Answer, port = 0): Promise<{ target: string; server: Server }> {
  const server = new Server();
  server.register(
    "/busi.Busi/Do",
    (call: { request: Buffer; metadata: Metadata }, reply: Reply) => answer(call.request, call.metadata, reply),
    raw.serialize,
    raw.deserialize,
    "unary",
  );
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, used) =>
      error ? reject(error) : resolve(used),
    ),
  );
  closers.push(() => server.forceShutdown());
  return { target: `127.0.0.1:${bound}`, server };
}

const done: Answer = (_, __, reply) => reply(null, Buffer.from("not even a message"));
const failing =
  (code: number, details: string): Answer =>
  (_, __, reply) =>
    reply({ code, details });

function invocation(url: string, change: Partial<Invocation> = {}): Invocation {
  return {
    url,
    protocol: "grpc",
    gid: "g1",
    type: "tcc",
    branchId: "01",
    op: "confirm",
    payload: Buffer.from([10, 1, 97]),
    headers: {},
    timeoutMs: 25_000,
    ...change,
  };
}

const messageOf = (outcome: Outcome): string => (outcome.kind === "unknown" ? outcome.message : JSON.stringify(outcome));

test("the payload is the request message as it is, with the call in the metadata (protocol.md 2.4, 3.3)", async () => {
  const seen: { request: Buffer; metadata: Metadata }[] = [];
  const { target } = await service((request, metadata, reply) => {
    seen.push({ request, metadata });
    reply(null, Buffer.alloc(0));
  });
  const calls = participants();
  const payload = Uint8Array.from([0, 255, 1]).subarray(1);
  const headers = {
    "X-Tenant": "t",
    "dtm-gid": "forged",
    Connection: "close",
    "grpc-timeout": "1n",
    ":path": "/x",
    "raw-bin": "\u00ff",
  };
  expect(await calls.call(invocation(`${target}/busi.Busi/Do`, { payload, headers }))).toEqual({ kind: "success" });
  expect(await calls.call(invocation(`${target}/busi.Busi/Do`, { payload: Buffer.alloc(0) }))).toEqual({ kind: "success" });
  expect(seen.map(({ request }) => [...request])).toEqual([[255, 1], []]);
  expect(seen[0]?.metadata.getMap()).toMatchObject({
    "dtm-gid": "g1",
    "dtm-trans_type": "tcc",
    "dtm-branch_id": "01",
    "dtm-op": "confirm",
    "dtm-dtm": "",
    "x-tenant": "t",
    "raw-bin": Buffer.from("\u00ff"),
  });
  expect(seen[0]?.metadata.getMap()).not.toHaveProperty("connection");
});

test.each([
  [status.ABORTED, "no money", { kind: "failure", reason: "no money", grpcCode: 10 }],
  [status.ABORTED, "no money FAILURE", { kind: "failure", reason: "no money", grpcCode: 10 }],
  [status.ABORTED, "ONGOING", { kind: "ongoing", reason: "ONGOING" }],
  [status.FAILED_PRECONDITION, "later", { kind: "ongoing", reason: "later" }],
  [status.INTERNAL, "FAILURE", { kind: "unknown", message: "rpc error: code = Internal desc = FAILURE", grpcCode: 13 }],
  [status.ABORTED, "kein Geld für ü", { kind: "failure", reason: "kein Geld für ü", grpcCode: 10 }],
] as const)("%s %j", async (code, details, outcome) => {
  const { target } = await service(failing(code, details));
  expect(await participants().call(invocation(`${target}/busi.Busi/Do`))).toEqual(outcome);
});

test("the reply's bytes don't matter", async () => {
  const { target } = await service(done);
  expect(await participants().call(invocation(`${target}/busi.Busi/Do`))).toEqual({ kind: "success" });
});

test("an unknown method is a temporary error with its own code", async () => {
  const { target } = await service(done);
  expect(await participants().call(invocation(`${target}/busi.Busi/No`))).toMatchObject({ kind: "unknown", grpcCode: 12 });
});

test.each([
  [409, "failure"],
  [425, "ongoing"],
])("grpc-status %s, as PHP's handlers answer, is %s (Q45)", async (code, kind) => {
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    const head = { ":status": 200, "content-type": "application/grpc", "grpc-status": String(code), "grpc-message": "m" };
    stream.respond(head, { endStream: true });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  expect((await participants().call(invocation(`127.0.0.1:${port}/busi.Busi/Do`))).kind).toBe(kind);
});

test.each([
  ["host:1", "bad url: 'host:1'. no '/' found"],
  ["etcd://host/busi/Do", "call dtmdriver.Use() before you use custom scheme for 'etcd://host/busi/Do'"],
])("%s: %s", async (url, message) => {
  expect(await participants().call(invocation(url))).toEqual({ kind: "unknown", message });
});

test.each([
  ["no target", "/busi.Busi/Do", {}],
  ["a target that is none", "a b:x/busi.Busi/Do", {}],
  ["a method that HTTP/2 refuses", "127.0.0.1:1/ü\n", {}],
  ["a gid that metadata can't carry", "127.0.0.1:1/busi.Busi/Do", { gid: "ünicode" }],
  ["a header that metadata can't carry", "127.0.0.1:1/busi.Busi/Do", { headers: { "x-tenant": "line\nbreak" } }],
  ["a header name that is none", "127.0.0.1:1/busi.Busi/Do", { headers: { "x tenant": "t" } }],
  ["nobody there", "127.0.0.1:1/busi.Busi/Do", {}],
])("%s is a temporary error", async (_, url, change) => {
  expect((await participants().call(invocation(url, change))).kind).toBe("unknown");
});

test("a step registered over gRPC with an HTTP address is not called over gRPC (protocol.md 3.1)", async () => {
  expect(messageOf(await participants().call(invocation("http://127.0.0.1:1/x")))).toContain("POST http://127.0.0.1:1/x");
});

test("the deadline holds, and the service learns of it", async () => {
  let cancelled: (value: unknown) => void = () => {};
  const wasCancelled = new Promise((resolve) => {
    cancelled = resolve;
  });
  const server = new Server();
  server.register(
    "/busi.Busi/Do",
    (call: { on(event: string, listener: (value: unknown) => void): void }) => call.on("cancelled", cancelled),
    raw.serialize,
    raw.deserialize,
    "unary",
  );
  const port = await new Promise<number>((resolve) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, used) => resolve(used)),
  );
  closers.push(() => server.forceShutdown());
  const outcome = await participants().call(invocation(`127.0.0.1:${port}/busi.Busi/Do`, { timeoutMs: 200 }));
  expect(outcome).toMatchObject({ kind: "unknown", grpcCode: status.DEADLINE_EXCEEDED });
  await wasCancelled;
});

/** A proxy that can stop carrying what it accepted so far, without a word to either side. */
async function proxyTo(target: string): Promise<{ target: string; accepted: () => number; silence: () => void }> {
  const pairs: { carries: boolean; readonly ends: readonly [Socket, Socket] }[] = [];
  const proxy = createTcpServer((near) => {
    const far = connect(Number(target.split(":")[1]), "127.0.0.1");
    const pair = { carries: true, ends: [near, far] as const };
    pairs.push(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      from.on("data", (bytes) => pair.carries && to.write(bytes)).on("error", () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const { ends } of pairs) for (const end of ends) end.destroy();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  const silence = (): void => {
    for (const pair of pairs) pair.carries = false;
  };
  return { target: `127.0.0.1:${port}`, accepted: () => pairs.length, silence };
}

async function until(claim: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) if (await claim()) return;
  throw new Error("waited in vain");
}

test("a connection that was lost without a word is given up for a new one (R13)", async () => {
  const { target } = await service(done);
  const proxy = await proxyTo(target);
  const calls = participants();
  const call = (timeoutMs?: number): Promise<Outcome> =>
    calls.call(invocation(`${proxy.target}/busi.Busi/Do`, timeoutMs === undefined ? {} : { timeoutMs }));
  expect((await call()).kind).toBe("success");
  proxy.silence();
  expect(await call(200)).toMatchObject({ kind: "unknown", grpcCode: status.DEADLINE_EXCEEDED });
  await until(async () => (await call(200)).kind === "success");
  expect((await call()).kind).toBe("success");
});

test("one of several that stand behind a name can fall silent alone", async () => {
  const { target } = await service(done);
  const silent = await proxyTo(target);
  const other = await proxyTo(target);
  const options = { "grpc.service_config": DEFAULT_PARTICIPANT_SETTINGS.grpcServiceConfig, "grpc.use_local_subchannel_pool": 1 };
  const both = `ipv4:${silent.target},${other.target}`;
  const channel = new GrpcChannel(() => new Client(both, credentials.createInsecure(), options));
  closers.push(() => channel.close());
  const call = (timeoutMs: number): Promise<unknown> =>
    new Promise((resolve) => {
      const payload = Buffer.alloc(0);
      channel.call({ method: "/busi.Busi/Do", payload, metadata: new Metadata(), timeoutMs }, resolve);
    });
  // Neighbours are answered meanwhile, by the other one.
  const three = (timeoutMs: number): Promise<unknown[]> => Promise.all([call(timeoutMs), call(timeoutMs), call(timeoutMs)]);
  const made = (connections: number, timeoutMs: number) => async () => {
    await three(timeoutMs);
    return silent.accepted() + other.accepted() >= connections;
  };
  await until(made(2, 25_000));
  silent.silence();
  await until(made(4, 200));
  expect(await three(25_000)).toEqual([null, null, null]);
});

describe("a service that hangs on a call", () => {
  const hanging: Reply[] = [];
  beforeEach(() => hanging.splice(0));
  const hangsOn: Answer = (request, _, reply) => {
    if (request.length > 0) hanging.push(reply);
    else reply(null, Buffer.alloc(0));
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  /** Over a connection that isn't new any more. */
  async function calling(answer: Answer): Promise<[(hang: boolean, timeoutMs?: number) => Promise<Outcome>, () => number]> {
    const { target } = await service(answer);
    const proxy = await proxyTo(target);
    const calls = participants();
    const call = (hang: boolean, timeoutMs = 25_000): Promise<Outcome> =>
      calls.call(invocation(`${proxy.target}/busi.Busi/Do`, { payload: Buffer.alloc(hang ? 1 : 0), timeoutMs }));
    for (let i = 0; i < 2; i++) await call(false);
    await pause(1_000);
    return [call, proxy.accepted];
  }

  test("keeps its connection while it answers others", async () => {
    const [call, accepted] = await calling(hangsOn);
    // On a machine that stood still the neighbour's answer comes too late to count.
    for (let inTime = false; !inTime; ) {
      const before = accepted();
      let over = false;
      const slow = call(true, 300).finally(() => {
        over = true;
      });
      expect((await call(false)).kind).toBe("success");
      inTime = !over;
      expect((await slow).kind).toBe("unknown");
      expect((await call(false)).kind).toBe("success");
      if (inTime) expect(accepted()).toBe(before);
    }
  });

  test("keeps its connection when it says itself that its time is up", async () => {
    const [call, accepted] = await calling(failing(status.DEADLINE_EXCEEDED, "a call of its own"));
    const outcome = { kind: "unknown", grpcCode: status.DEADLINE_EXCEEDED };
    for (let i = 0; i < 3; i++) expect(await call(false)).toMatchObject(outcome);
    expect(accepted()).toBe(1);
  });

  test("costs a connection when it answers nobody, but no call under way, and fewer while those last", async () => {
    const start = performance.now();
    const [call, accepted] = await calling(hangsOn);
    const patient = call(true);
    while (hanging.length < 1) await pause(5);
    for (const then = performance.now(); performance.now() - then < 1_700; ) {
      await call(true, 100);
      // The first new one after a second at least, and each further one two seconds later, since the patient call keeps the first.
      expect(accepted()).toBeLessThanOrEqual(1 + Math.floor((performance.now() - start + 1_000) / 2_000));
    }
    await until(async () => (await call(true, 100)).kind === "unknown" && accepted() > 1);
    expect((await call(false)).kind).toBe("success");
    hanging[0]?.(null, Buffer.alloc(0));
    expect((await patient).kind).toBe("success");
  });
});

test("a service that is back is found without waiting for a long back-off", async () => {
  const { target, server } = await service(done);
  const calls = participants();
  const call = (): Promise<Outcome> => calls.call(invocation(`${target}/busi.Busi/Do`));
  expect((await call()).kind).toBe("success");
  server.forceShutdown();
  while ((await call()).kind === "success");
  await service(done, Number(target.split(":")[1]));
  while ((await call()).kind !== "success") await new Promise((resolve) => setTimeout(resolve, 20));
});

describe("egress", () => {
  const closed = { refuse: () => "that place is closed", refuseAddress: () => null };
  const closedAddresses = {
    refuse: () => null,
    refuseAddress: (address: string, host: string) => `${host} is ${address}: closed`,
  };

  test("places and resolved addresses are judged before anything is sent", async () => {
    let calls = 0;
    const { target } = await service((_, __, reply) => {
      calls++;
      reply(null, Buffer.alloc(0));
    });
    const url = `${target.replace("127.0.0.1", "localhost")}/busi.Busi/Do`;
    expect(messageOf(await participants({ egress: closed }).call(invocation(url)))).toMatch(/not called: that place is closed/);
    expect(messageOf(await participants({ egress: closedAddresses }).call(invocation(url)))).toMatch(/localhost is .*: closed/);
    expect(calls).toBe(0);
    expect((await participants().call(invocation(url))).kind).toBe("success");
  });

  test("other rules in the same process don't share the verdict", async () => {
    const { target } = await service(done);
    const url = `${target.replace("127.0.0.1", "localhost")}/busi.Busi/Do`;
    const [refused, allowed] = await Promise.all([
      participants({ egress: closedAddresses }).call(invocation(url)),
      participants().call(invocation(url)),
    ]);
    expect([refused.kind, allowed.kind]).toEqual(["unknown", "success"]);
  });
});

test("the dns driver takes the channel's own form of a target", async () => {
  const { target } = await service(done);
  const calls = participants({ driver: dnsDriver });
  expect((await calls.call(invocation(`dns:///${target}/busi.Busi/Do`))).kind).toBe("success");
  expect((await calls.call(invocation(`${target}/busi.Busi/Do`))).kind).toBe("success");
});

test("closing ends the calls in flight", async () => {
  let arrived: (value: unknown) => void = () => {};
  const hasArrived = new Promise((resolve) => {
    arrived = resolve;
  });
  const { target } = await service(() => arrived(null));
  const calls = participants();
  const inFlight = calls.call(invocation(`${target}/busi.Busi/Do`));
  await hasArrived;
  await calls.close();
  expect((await inFlight).kind).toBe("unknown");
});

test("channels are bounded and closed when idle", async () => {
  const { target } = await service(done);
  const { egress, grpcServiceConfig } = DEFAULT_PARTICIPANT_SETTINGS;
  const caller = new GrpcCaller({ egress, serviceConfig: grpcServiceConfig, targetsBound: 2, sweepMs: 2 ** 31 - 1 });
  closers.push(() => caller.close());
  const ask = (to: string): Promise<Outcome> =>
    caller.call({ target: to, method: "/busi.Busi/Do" }, invocation("", { timeoutMs: 20_000 }));
  expect((await ask(target)).kind).toBe("success");
  for (const other of ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]) await ask(other);
  expect(caller.size).toBe(2);
  expect((await ask(target)).kind).toBe("success");
});
