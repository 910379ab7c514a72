/** The services: one over HTTP, one over gRPC. They note every call, and answer what the test scripted for its path. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as GrpcServer, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";

export interface Call {
  readonly path: string;
  readonly method: string;
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
  readonly transType: string;
  readonly coordinator: string;
  readonly phase2Url: string;
  /** Of HTTP: text; of gRPC: the message's bytes as text. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Answer =
  | { readonly kind: "success"; readonly body?: string }
  | { readonly kind: "failure" | "ongoing" | "error"; readonly text?: string };

type Script = (call: Call) => Answer | Promise<Answer>;

export interface Participants {
  readonly calls: Call[];
  /** The address of a branch. */
  url(path: string): string;
  answer(path: string, script: Script): void;
  stop(): Promise<void>;
}

class Scripts {
  readonly calls: Call[] = [];
  readonly #scripts = new Map<string, Script>();

  answer(path: string, script: Script): void {
    this.#scripts.set(path, script);
  }

  async run(call: Call): Promise<Answer> {
    this.calls.push(call);
    return (await this.#scripts.get(call.path)?.(call)) ?? { kind: "success" };
  }
}

const HTTP_STATUS = { success: 200, failure: 409, ongoing: 425, error: 500 } as const;
const WORDS = { success: "SUCCESS", failure: "FAILURE", ongoing: "ONGOING", error: "broken" } as const;

export async function startHttpParticipants(): Promise<Participants> {
  const scripts = new Scripts();
  const server: Server = createServer((request, response) => {
    void serve(scripts, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    calls: scripts.calls,
    url: (path) => `http://127.0.0.1:${port}/${path}`,
    answer: (path, script) => scripts.answer(path, script),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function serve(scripts: Scripts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? "/", "http://localhost");
  const query = (key: string): string => url.searchParams.get(key) ?? "";
  const answer = await scripts.run({
    path: url.pathname.slice(1),
    method: request.method ?? "",
    gid: query("gid"),
    branchId: query("branch_id"),
    op: query("op"),
    transType: query("trans_type"),
    coordinator: query("dtm"),
    phase2Url: query("phase2_url"),
    body: Buffer.concat(chunks).toString("utf8"),
    headers: Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)])),
  });
  const body =
    answer.kind === "success" ? answer.body : JSON.stringify({ message: `${answer.text ?? ""} ${WORDS[answer.kind]}`.trim() });
  response.writeHead(HTTP_STATUS[answer.kind], { "content-type": "application/json" });
  response.end(body ?? '{"dtm_result":"SUCCESS"}');
}

const GRPC_STATUS = { failure: status.ABORTED, ongoing: status.FAILED_PRECONDITION, error: status.INTERNAL } as const;
const identity = (bytes: Buffer): Buffer => bytes;

/** Every path that is asked for becomes a method of one service. */
export async function startGrpcParticipants(): Promise<Participants> {
  const scripts = new Scripts();
  const server = new GrpcServer();
  const known = new Set<string>();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const register = (path: string): void => {
    if (known.has(path)) return;
    known.add(path);
    server.register<Buffer, Buffer>(
      `/test.Bank/${path}`,
      (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const text = (key: string): string => String(call.metadata.get(key)[0] ?? "");
        const noted: Call = {
          path,
          method: "grpc",
          gid: text("dtm-gid"),
          branchId: text("dtm-branch_id"),
          op: text("dtm-op"),
          transType: text("dtm-trans_type"),
          coordinator: text("dtm-dtm"),
          phase2Url: text("dtm-phase2_url"),
          body: call.request.toString("utf8"),
          headers: Object.fromEntries(Object.entries(call.metadata.getMap()).map(([key, value]) => [key, String(value)])),
        };
        scripts.run(noted).then(
          (answer) => {
            if (answer.kind === "success") done(null, Buffer.from(answer.body ?? ""));
            else done({ code: GRPC_STATUS[answer.kind], details: answer.text ?? WORDS[answer.kind] });
          },
          (error: unknown) => done({ code: status.INTERNAL, details: String(error) }),
        );
      },
      identity,
      identity,
      "unary",
    );
  };
  return {
    calls: scripts.calls,
    url: (path) => {
      register(path);
      return `127.0.0.1:${port}/test.Bank/${path}`;
    },
    answer: (path, script) => {
      register(path);
      scripts.answer(path, script);
    },
    stop: async () => server.forceShutdown(),
  };
}
