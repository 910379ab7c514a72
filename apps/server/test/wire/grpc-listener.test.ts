/** The gRPC port itself: what stands beside the nine methods, who is let in, and how it starts and stops. */

import { reflectionPackage } from "@dtm/protocol";
import { type ServiceError, status as Status } from "@grpc/grpc-js";
import { StartError } from "../../src/service.js";
import { GrpcListener } from "../../src/transports/grpc/listener.js";
import { GrpcNode, type RawClient } from "../kit/grpc-node.js";
import { msg, OPTION, saga, topic, transaction } from "../kit/grpc-requests.js";
import { buffersOf, fieldsOf, text, textsOf } from "../kit/protobuf.js";

// Sockets on a busy machine: what goes wrong here hangs, so a limit only has to be finite.
jest.setTimeout(60_000);

const { NOT_FOUND, OK, UNAUTHENTICATED, UNAVAILABLE } = Status;
const TOKEN = "s3cret";
const HEALTH = "/grpc.health.v1.Health";
/** HealthCheckResponse.status; protobuf leaves a zero away. */
const SERVING = 1n;
const NOT_SERVING = 2n;

const running: GrpcNode[] = [];

async function started(...access: Parameters<typeof GrpcNode.started>): Promise<GrpcNode> {
  const node = await GrpcNode.started(...access);
  running.push(node);
  return node;
}

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop(AbortSignal.abort());
});

/** What a stream says until it ends, and how it ended. */
interface Heard {
  readonly messages: Buffer[];
  ended: number | null;
}

function hear(stream: NodeJS.ReadableStream): Heard {
  const heard: Heard = { messages: [], ended: null };
  stream.on("data", (message: Buffer) => heard.messages.push(message));
  stream.on("end", () => {
    heard.ended ??= OK;
  });
  stream.on("error", (cause: ServiceError) => {
    heard.ended = cause.code;
  });
  return heard;
}

describe("health", () => {
  test.each(["", "dtmgimp.Dtm"])("%j serves", async (service) => {
    const client = (await started()).client();
    const { code, reply } = await client.ask(`${HEALTH}/Check`, text(1, service));
    expect(code).toBe(OK);
    expect(fieldsOf(reply).get(1)).toEqual([SERVING]);
  });

  test("an unknown service is NOT_FOUND", async () => {
    const client = (await started()).client();
    expect(await client.ask(`${HEALTH}/Check`, text(1, "other"))).toMatchObject({ code: NOT_FOUND });
  });

  test("a watcher hears of the stop, and doesn't hold it up", async () => {
    const node = await started();
    const heard = hear(node.client().watch(`${HEALTH}/Watch`, text(1, "dtmgimp.Dtm")));
    await node.until(() => heard.messages.length === 1);
    // Without a deadline: it ends because the watcher is sent away.
    await node.listener.stop(new AbortController().signal);
    await node.until(() => heard.ended !== null);
    expect(heard.messages.map((message) => fieldsOf(message).get(1))).toEqual([[SERVING], [NOT_SERVING]]);
    expect(heard.ended).toBe(UNAVAILABLE);
  });
});

describe.each(["v1", "v1alpha"])("reflection %s, as grpcurl asks it", (version) => {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const LIST = 7;
  const SYMBOL = 4;
  const DESCRIPTORS = 4;
  const SERVICES = 6;
  const ERROR = 7;

  async function ask(client: RawClient, question: Buffer): Promise<Buffer> {
    const stream = client.stream(path);
    const answer = new Promise<Buffer>((resolve, reject) => stream.once("data", resolve).once("error", reject));
    stream.write(question);
    const reply = await answer;
    stream.end();
    return reply;
  }

  test("lists what is served here, the applications' own service not among it", async () => {
    const reply = await ask((await started()).client(), text(LIST, "*"));
    const [list] = buffersOf(reply, SERVICES);
    const names = buffersOf(list ?? Buffer.alloc(0), 1).flatMap((service) => textsOf(service, 1));
    expect(names.sort()).toEqual(["dtmgimp.Dtm", "grpc.health.v1.Health"]);
  });

  test("describes the service by its proto file, imports included", async () => {
    const reply = await ask((await started()).client(), text(SYMBOL, "dtmgimp.Dtm"));
    const [descriptors] = buffersOf(reply, DESCRIPTORS);
    const files = buffersOf(descriptors ?? Buffer.alloc(0), 1);
    expect(files.map((file) => textsOf(file, 1)[0]).sort()).toEqual(["dtmgimp.proto", "google/protobuf/empty.proto"]);
    const shipped = reflectionPackage().files.fileDescriptorProtos;
    const dtm = shipped.find((file) => textsOf(file, 1)[0] === "dtmgimp.proto") ?? Buffer.alloc(0);
    const messages = (file: Buffer | undefined): string[] =>
      buffersOf(file ?? Buffer.alloc(0), 4).flatMap((type) => textsOf(type, 1));
    expect(messages(files.find((file) => textsOf(file, 1)[0] === "dtmgimp.proto"))).toEqual(messages(dtm));
    expect(messages(dtm)).toContain("DtmRequest");
  });

  test.each(["nobody.Knows", "__proto__", "constructor"])(
    "an unknown symbol, %s, is an answer like any other",
    async (symbol) => {
      const node = await started();
      const reply = await ask(node.client(), text(SYMBOL, symbol));
      if (symbol === "nobody.Knows") expect(buffersOf(reply, ERROR)).toHaveLength(1);
      expect((await node.client().dtm("NewGid")).code).toBe(OK);
    },
  );

  test("a stream left open doesn't hold up the stop", async () => {
    const node = await started();
    const stream = node.client().stream(path);
    const heard = hear(stream);
    stream.write(text(LIST, "*"));
    await node.until(() => heard.messages.length === 1);
    await node.listener.stop(new AbortController().signal);
    await node.until(() => heard.ended !== null);
    expect(heard.ended).toBe(UNAVAILABLE);
  });

  test("needs the token where there is one", async () => {
    const node = await started({ authToken: TOKEN, allowInsecure: "clients" });
    await expect(ask(node.client(), text(LIST, "*"))).rejects.toMatchObject({ code: UNAUTHENTICATED });
    await ask(node.client(TOKEN), text(LIST, "*"));
  });
});

describe("access (R24)", () => {
  const CLIENTS: readonly (readonly [string, Buffer])[] = [
    ["NewGid", Buffer.alloc(0)],
    ["Prepare", transaction({ gid: "tcc", type: "tcc" })],
    ["Submit", saga("saga", ["a"])],
    ["Abort", transaction({ gid: "tcc", type: "tcc" })],
    ["RegisterBranch", Buffer.alloc(0)],
    ["PrepareWorkflow", transaction({ gid: "flow", type: "workflow" })],
  ];
  const OPERATORS: readonly (readonly [string, Buffer])[] = [
    ["Subscribe", topic("news", "http://a")],
    ["Unsubscribe", topic("news", "http://a")],
    ["DeleteTopic", topic("news")],
  ];

  async function shut(client: RawClient, methods: readonly (readonly [string, Buffer])[]): Promise<string[]> {
    const refused: string[] = [];
    for (const [method, request] of methods) {
      if ((await client.dtm(method, request)).code === UNAUTHENTICATED) refused.push(method);
    }
    return refused;
  }

  const names = (methods: typeof CLIENTS): string[] => methods.map(([method]) => method);

  test("without a token everything is open on loopback", async () => {
    expect(await shut((await started()).client(), [...CLIENTS, ...OPERATORS])).toEqual([]);
  });

  test("with one, all nine need it", async () => {
    const node = await started({ authToken: TOKEN });
    expect(await shut(node.client(), [...CLIENTS, ...OPERATORS])).toEqual(names([...CLIENTS, ...OPERATORS]));
    expect(await shut(node.client("s3cre"), [...CLIENTS, ...OPERATORS])).toEqual(names([...CLIENTS, ...OPERATORS]));
    expect(await shut(node.client(TOKEN), [...CLIENTS, ...OPERATORS])).toEqual([]);
  });

  test("what is refused stores nothing", async () => {
    const node = await started({ authToken: TOKEN });
    await node.client().dtm("Submit", saga("g", ["a"]));
    expect(node.store.peek("g")).toBeNull();
  });

  test("clients opens what SDKs need, topics stay shut", async () => {
    const node = await started({ authToken: TOKEN, allowInsecure: "clients" });
    expect(await shut(node.client(), [...CLIENTS, ...OPERATORS])).toEqual(names(OPERATORS));
    expect(await shut(node.client(TOKEN), OPERATORS)).toEqual([]);
  });

  test("all opens everything", async () => {
    const node = await started({ authToken: TOKEN, allowInsecure: "all" });
    expect(await shut(node.client(), [...CLIENTS, ...OPERATORS])).toEqual([]);
  });

  test("a probe of the health needs no token", async () => {
    const node = await started({ authToken: TOKEN });
    expect(await node.client().ask(`${HEALTH}/Check`, text(1, ""))).toMatchObject({ code: OK });
  });
});

describe("starting", () => {
  // grpc-js says by itself that it could not listen.
  let muted: jest.SpyInstance;
  beforeEach(() => {
    muted = jest.spyOn(console, "error").mockImplementation(() => undefined);
  });
  afterEach(() => muted.mockRestore());

  test("a port in use is said, with the setting to change", async () => {
    const node = await started();
    const second = new GrpcListener({
      coordinator: node.core.coordinator,
      topics: node.topics,
      telemetry: { served() {}, drove() {}, called() {} },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      access: { host: "127.0.0.1", authToken: "", allowInsecure: "none", allowedHosts: [] },
      port: node.listener.port,
    });
    const start = second.start();
    await expect(start).rejects.toBeInstanceOf(StartError);
    await expect(start).rejects.toThrow(`gRPC can't listen on 127.0.0.1:${node.listener.port}: the port is in use`);
    await second.stop(new AbortController().signal);
  });

  test("a host that isn't ours is said", async () => {
    await expect(GrpcNode.started({ host: "192.0.2.1" })).rejects.toThrow("gRPC can't listen on 192.0.2.1:0");
  });

  test("a name is listened on at its first address", async () => {
    const node = await started({ host: "localhost" });
    expect(node.listener.port).toBeGreaterThan(0);
  });
});

describe("stopping (R18)", () => {
  test("a call under way is answered, then the port is shut", async () => {
    const node = await started();
    node.participants.hold("a");
    const answer = node.client().dtm("Submit", saga("g", ["a"], { options: [OPTION.waitResult] }));
    await node.until(() => node.participants.urls.length === 1);
    const stopped = node.listener.stop(new AbortController().signal);
    node.participants.inFlight("a").answer({ kind: "success" });
    expect(await answer).toMatchObject({ code: OK });
    await stopped;
    expect(await node.client().dtm("NewGid")).toMatchObject({ code: UNAVAILABLE });
  });

  test("a waiting caller whose transaction is handed over is told that it goes on", async () => {
    const node = await started();
    node.participants.hold("a");
    const answer = node.client().dtm("Submit", saga("g", ["a"], { options: [OPTION.waitResult] }));
    await node.until(() => node.participants.urls.length === 1);
    const stopped = node.listener.stop(new AbortController().signal);
    await node.core.stop(AbortSignal.abort());
    expect(await answer).toMatchObject({ code: UNAVAILABLE, message: "the server is stopping; the transaction goes on" });
    await stopped;
  });

  test("new work is refused from then on", async () => {
    const node = await started();
    node.core.beginStop();
    expect(await node.client().dtm("Submit", msg("g", ["a"]))).toMatchObject({ code: UNAVAILABLE });
  });

  test("at the deadline who still waits is told why, and the stop ends", async () => {
    const node = await started();
    node.participants.hold("a");
    const answer = node.client().dtm("Submit", saga("g", ["a"], { options: [OPTION.waitResult] }));
    await node.until(() => node.participants.urls.length === 1);
    const deadline = new AbortController();
    const stopped = node.listener.stop(deadline.signal);
    deadline.abort();
    await stopped;
    expect(await answer).toMatchObject({ code: UNAVAILABLE, message: expect.stringContaining("stopping") });
    expect(node.served).toEqual(["grpc submit failed"]);
    expect(node.stored("g").transaction.status).toBe("submitted");
  });
});

test("every call is counted once, by its method, and none is logged at info", async () => {
  const node = await started();
  const client = node.client();
  const before = node.logged.length;
  await client.dtm("NewGid");
  await client.dtm("Prepare", transaction({ gid: "g", type: "tcc" }));
  await client.dtm("Prepare", transaction({ gid: "", type: "tcc" }));
  await client.dtm("Subscribe", topic(""));
  expect(node.served).toEqual(["grpc newgid", "grpc prepare", "grpc prepare failed", "grpc subscribe failed"]);
  expect(node.logged.slice(before).filter(({ level }) => level !== "debug")).toEqual([]);
});
