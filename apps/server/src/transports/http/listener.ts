/** The HTTP listener: what the server starts and stops. Sockets stay open longer than any client's own patience (R20). */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Coordinator, Log, Telemetry, TopicRegistry } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import { type Service, StartError } from "../../service.js";
import { type AccessSettings, accessRules } from "./access.js";
import { withHeader } from "./answer.js";
import { announcesTooMuch, BODY_LIMIT } from "./body.js";
import { encodeRefusal } from "./errors.js";
import { expressApp, type Mount } from "./express.js";
import { front } from "./front.js";
import type { HealthCheck } from "./health.js";
import { openApiDocument } from "./openapi.js";
import type { Api } from "./routes.js";
import { ApiServer } from "./serve.js";

export interface HttpListenerParts {
  readonly coordinator: Coordinator;
  readonly topics: TopicRegistry;
  readonly telemetry: Telemetry;
  readonly log: Log;
  /** `host` is also the address listened on. */
  readonly access: AccessSettings;
  /** 0 = any free one. */
  readonly port: number;
  /** With its `v`. */
  readonly version: string;
  readonly metricsText: () => Promise<string>;
  /** What `/readyz` asks. */
  readonly checks: readonly HealthCheck[];
  readonly mounts?: readonly Mount[];
  /** PEM texts; plain HTTP when absent. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** False serves the hot routes through Express too: the tests' way to compare the two. */
  readonly useFront?: boolean;
}

/** Go clients keep idle sockets for 90 s; one that we close first could meet their next request (R20). */
const KEEP_ALIVE_MS = 120_000;
const HEADERS_MS = KEEP_ALIVE_MS + 5_000;
/** For a request to arrive whole; how long an answer takes is not limited here. */
const REQUEST_MS = 300_000;
/** Of request line and headers together, as Go's server takes them. */
const HEADERS_LIMIT = 1024 * 1024;
const SWEEP_MS = 50;
/** For the last answers to reach their callers after the deadline. */
const LAST_WORDS_MS = 250;

export class HttpListener implements Service {
  readonly name = "http";
  readonly #server: Server;
  readonly #api: ApiServer;
  #stopping = false;

  constructor(private readonly parts: HttpListenerParts) {
    const api: Api = { ...parts, stopping: () => this.#stopping, openApi: JSON.stringify(openApiDocument(parts.version)) };
    this.#api = new ApiServer(api, accessRules(parts.access), parts.telemetry);
    const app = expressApp(this.#api, parts.mounts ?? []);
    this.#server = this.#build(parts.useFront === false ? app : front(this.#api, app));
  }

  /** The port in use; known once started. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.parts.port;
  }

  async start(): Promise<void> {
    const { access, port } = this.parts;
    const host = access.host.replace(/^\[(.*)\]$/, "$1");
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: Error): void =>
        reject(new StartError(`HTTP can't listen on ${host}:${port}: ${cause.message}`, { cause }));
      this.#server.once("error", refuse);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", refuse);
        resolve();
      });
    });
    this.parts.log.info({ host, port: this.port, tls: this.parts.tls !== undefined }, "http listens");
  }

  /** No new work from here on: 503 for what still comes, and each connection closes with its answer (R18). */
  beginStop(): void {
    this.#stopping = true;
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.beginStop();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // An answer that was under way may have promised to keep its connection.
    const sweep = setInterval(() => this.#server.closeIdleConnections(), SWEEP_MS);
    let cut: NodeJS.Timeout | undefined;
    const leave = (): void => {
      this.#api.leave();
      cut = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS_MS);
    };
    if (deadline.aborted) leave();
    deadline.addEventListener("abort", leave, { once: true });
    await closed;
    deadline.removeEventListener("abort", leave);
    clearInterval(sweep);
    clearTimeout(cut);
  }

  #build(handler: RequestListener): Server {
    const options = {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      maxHeaderSize: HEADERS_LIMIT,
    };
    const { tls } = this.parts;
    const server = tls === undefined ? createServer(options, handler) : createTlsServer({ ...options, ...tls }, handler);
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) =>
      askedToContinue(handler, request, response),
    );
    return server;
  }
}

/** `Expect: 100-continue` asks before it sends: a body that is too large never starts (R17). */
function askedToContinue(handler: RequestListener, request: IncomingMessage, response: ServerResponse): void {
  if (announcesTooMuch(request)) {
    const refused = encodeRefusal(new Refusal("TOO_LARGE", `the body is over ${BODY_LIMIT} bytes (4 MiB)`));
    const { status, headers, body } = withHeader(refused, "Connection", "close");
    response.writeHead(status, [...headers]).end(body);
    return;
  }
  response.writeContinue();
  void handler(request, response as Parameters<RequestListener>[1]);
}
