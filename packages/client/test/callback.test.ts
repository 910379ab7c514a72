/** The callback as the coordinator finds it, and what it makes of requests and handlers that nobody expects. */
import { createServer, request as httpRequest, type Server } from "node:http";
import { connect } from "node:net";
import type { workflow as protobuf } from "@dtm/protocol";
import { Metadata, type ServerUnaryCall, type ServiceError, status } from "@grpc/grpc-js";
import {
  GrpcClient,
  HttpClient,
  type WorkflowListenerOptions,
  Workflows,
  workflowListener,
  workflowService,
} from "../src/index.js";

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

test.each(BAD)("over gRPC too, an onError that %s changes nothing: UNKNOWN", async (_, onError) => {
  const [, { execute }] = workflowService(workflows, { onError });
  const metadata = new Metadata();
  metadata.set("dtm-op", "nobody");
  metadata.set("dtm-gid", "g");
  const call = { metadata, request: { Data: Buffer.alloc(0) } } as ServerUnaryCall<protobuf.WorkflowData, object>;
  const answered = new Promise<Partial<ServiceError> | null>((resolve) => execute(call, (error) => resolve(error)));
  expect((await answered)?.code).toBe(status.UNKNOWN);
});

test.each(["http://app/workflows", "HTTPS://app/workflows"])("a gRPC client refuses the callback %s", (callback) => {
  const grpc = new GrpcClient({ server: "127.0.0.1:1" });
  expect(() => new Workflows(grpc, { callback })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  grpc.close();
});
