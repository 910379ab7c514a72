/** The callback as the coordinator finds it, and what it makes of requests and handlers that nobody expects. */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { connect } from "node:net";
import { workflow as protobuf } from "@dtm/protocol";
import {
  credentials,
  Server as GrpcServer,
  Metadata,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { ScriptedTransport } from "../../client-core/test/scripted.js";
import {
  GrpcClient,
  HttpClient,
  type WorkflowListenerOptions,
  Workflows,
  workflowListener,
  workflowService,
} from "../src/index.js";
import { ScriptedClient } from "./scripted-client.js";

/** Nothing listens there, so every workflow stays open. */
const client = new HttpClient({ server: "http://127.0.0.1:1", timeoutMs: 500 });
const workflows = new Workflows(client, { callback: "http://127.0.0.1:1/workflows" });
workflows.define("order", () => "done");
afterAll(() => client.close());
// What a broken onError was told is logged instead.
beforeEach(() => void jest.spyOn(console, "error").mockImplementation(() => undefined));
afterEach(() => jest.restoreAllMocks());

/** Throws and rejects: both are a user's mistake that must not end the process. */
const BAD: [string, NonNullable<WorkflowListenerOptions["onError"]>][] = [
  [
    "throws",
    () => {
      throw new Error("the logger is broken");
    },
  ],
  ["rejects", async () => Promise.reject(new Error("the logger is broken"))],
];

async function listen(options: WorkflowListenerOptions): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer(workflowListener(workflows, options));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { port: address !== null && typeof address === "object" ? address.port : 0, server };
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** `path` as it is, which `new URL` would change. */
function get(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ port, host: "127.0.0.1", path, timeout: 10_000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", reject);
    asked.end();
  });
}

test("a path that is no URL is answered with 400", async () => {
  const { port, server } = await listen({ onError: () => undefined });
  expect(await get(port, "//")).toBe(400);
  expect(await get(port, "/workflows")).toBe(400);
  await end(server);
});

test.each(BAD)("an onError that %s changes nothing: 500", async (_, onError) => {
  const { port, server } = await listen({ onError });
  expect(await get(port, "/workflows?op=nobody&gid=g")).toBe(500);
  await end(server);
});

test("a caller that goes away in the middle of its data ends nothing", async () => {
  const told: unknown[] = [];
  const { port, server } = await listen({ onError: (error) => void told.push(error) });
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /workflows?op=order&gid=g HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
  await new Promise<void>((resolve) => server.once("request", () => resolve()));
  socket.destroy();
  await new Promise<void>((resolve) => {
    const look = (): void => void (told.length > 0 ? resolve() : setTimeout(look, 10));
    look();
  });
  expect(await get(port, "/workflows")).toBe(400);
  await end(server);
});

/** What comes before the callback, as frameworks do it. */
type Before = (request: IncomingMessage & { body?: unknown }) => Promise<void>;

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe("the data, whoever has read it", () => {
  const leave =
    (make: (bytes: Buffer) => unknown): Before =>
    async (request) => {
      request.body = make(await bytesOf(request));
    };

  test.each<[string, Before, string]>([
    ["nobody", async () => undefined, '200 {"amount":30}'],
    ["a parser of JSON", leave((bytes) => JSON.parse(bytes.toString())), '200 {"amount":30}'],
    ["a parser of text", leave(String), '200 {"amount":30}'],
    ["a parser that leaves bytes", leave((bytes) => bytes), '200 {"amount":30}'],
    [
      "a parser of another type, which leaves {} as Express 4's do",
      async (request) => {
        request.body = {};
      },
      '200 {"amount":30}',
    ],
    ["something that leaves nothing", leave(() => undefined), "500 not run"],
  ])("%s", async (_, before, outcome) => {
    const state = { gid: "g", transType: "", customData: "", status: "prepared", rollbackReason: "", result: "", progresses: [] };
    const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: state }] });
    const scripted = new Workflows(new ScriptedClient(transport), { callback: "http://app" });
    let input: unknown = "not run";
    scripted.define("order", (_wf, given) => {
      input = JSON.stringify(given);
    });
    const told: unknown[] = [];
    const listener = workflowListener(scripted, { onError: (error) => void told.push(error) });
    const server = createServer((request, response) => void before(request).then(() => listener(request, response)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    try {
      const url = `http://127.0.0.1:${port}/workflows?op=order&gid=g`;
      const { status: code } = await fetch(url, { method: "POST", body: '{"amount":30}' });
      expect(`${code} ${input}`).toBe(outcome);
      expect(told).toHaveLength(code === 200 ? 0 : 1);
    } finally {
      await end(server);
    }
  });
});

test.each(BAD)("over gRPC too, an onError that %s changes nothing: UNKNOWN", async (_, onError) => {
  const [, { execute }] = workflowService(workflows, { onError });
  const metadata = new Metadata();
  metadata.set("dtm-op", "nobody");
  metadata.set("dtm-gid", "g");
  const call = { metadata, request: { Data: Buffer.alloc(0) } } as ServerUnaryCall<protobuf.WorkflowData, object>;
  const answered = new Promise<Partial<ServiceError> | null>((resolve) => execute(call, (error) => resolve(error)));
  expect((await answered)?.code).toBe(status.UNKNOWN);
});

test("over gRPC, a reason with half of a surrogate pair is answered like any other", async () => {
  const state = {
    gid: "g",
    transType: "",
    customData: "",
    status: "failed",
    rollbackReason: "no \ud800 stock",
    result: "",
    progresses: [],
  };
  const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: state }] });
  const scripted = new Workflows(new ScriptedClient(transport), { callback: "http://app" });
  scripted.define("order", () => "done");
  const server = new GrpcServer();
  server.addService(...workflowService(scripted));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const caller = new protobuf.WorkflowClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("dtm-op", "order");
  metadata.set("dtm-gid", "g");
  try {
    const error = await new Promise<ServiceError | null>((resolve) =>
      caller.execute({ Data: Buffer.alloc(0) }, metadata, { deadline: Date.now() + 10_000 }, (reason) => resolve(reason)),
    );
    expect(error).toMatchObject({ code: status.ABORTED, details: "no \ufffd stock" });
  } finally {
    caller.close();
    server.forceShutdown();
  }
});

test.each(["http://app/workflows", "HTTPS://app/workflows"])("a gRPC client refuses the callback %s", (callback) => {
  const grpc = new GrpcClient({ server: "127.0.0.1:1" });
  expect(() => new Workflows(grpc, { callback })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  grpc.close();
});
