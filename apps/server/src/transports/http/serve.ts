/** From a request on a route to its written answer: access, body, handler, metric. The front and Express differ only in how a route is found. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Telemetry } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import { TransientMap } from "../../engine/transient-map.js";
import { type AccessRules, admit, type Exposure } from "./access.js";
import { type Answer, NOT_FOUND, withHeader } from "./answer.js";
import { BODY_LIMIT, discard, readBody } from "./body.js";
import { encodeRefusal, logRefusal, refusalFrom } from "./errors.js";
import type { Api, Route } from "./routes.js";

/** Label of what no route answers: paths are a client's choice and would grow the metrics without bound (Q15). */
const OTHER = "other";
const NO_BODY = Buffer.alloc(0);

export interface Target {
  readonly route: Route;
  readonly search: string;
  readonly param: string;
}

export class ApiServer {
  /** One per handler that has no answer yet. */
  readonly #open = new TransientMap<number, (cause: Refusal) => void>();
  #calls = 0;

  constructor(
    readonly api: Api,
    private readonly rules: AccessRules,
    private readonly telemetry: Telemetry,
  ) {}

  serve(target: Target, request: IncomingMessage, response: ServerResponse): void {
    this.#serve(target, request, response).catch((cause: unknown) => {
      this.api.log.error({ path: target.route.path, err: cause }, "answer could not be written");
      response.destroy();
    });
  }

  async #serve({ route, search, param }: Target, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now();
    let answer: Answer;
    try {
      const refusal = this.refuse(route.exposure, request);
      if (refusal !== null) throw refusal;
      const body = route.method === "POST" ? await readBody(request) : NO_BODY;
      if (body === "gone") return;
      if (body === "too large") throw new Refusal("TOO_LARGE", `the body is over ${BODY_LIMIT} bytes (4 MiB)`);
      answer = await this.#orLeave(route.handle(this.api, { search, body, param }));
    } catch (cause) {
      answer = this.#explain(cause, route.api ?? OTHER);
    }
    this.write(request, response, answer);
    if (route.api !== null) this.telemetry.served("http", route.api, answer.status >= 400, (performance.now() - began) / 1000);
  }

  /** At the deadline of a stop: who still waits hears why, instead of a connection that breaks (R11). */
  leave(): void {
    const why = "the server is stopping before there was an answer: what it has stored of the transaction goes on";
    for (const leave of this.#open.values()) leave(new Refusal("UNAVAILABLE", why));
  }

  /** Null = go on. */
  refuse(exposure: Exposure, request: IncomingMessage): Refusal | null {
    const { headers } = request;
    const fetchSite = headers["sec-fetch-site"];
    const refusal = admit(
      {
        exposure,
        authorization: headers.authorization,
        host: headers.host,
        origin: headers.origin,
        fetchSite: typeof fetchSite === "string" ? fetchSite : undefined,
      },
      this.rules,
    );
    if (refusal !== null) return refusal;
    return exposure !== "probe" && this.api.stopping() ? new Refusal("UNAVAILABLE", "the server is stopping: try again") : null;
  }

  /** Answers what failed outside a route's handler. */
  fail(request: IncomingMessage, response: ServerResponse, cause: unknown): void {
    this.#plain(request, response, this.#explain(cause, OTHER));
  }

  notFound(request: IncomingMessage, response: ServerResponse): void {
    this.#plain(request, response, NOT_FOUND);
  }

  served(api: string, failed: boolean, seconds: number): void {
    this.telemetry.served("http", api, failed, seconds);
  }

  write(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { status, headers } = this.api.stopping() ? withHeader(answer, "Connection", "close") : answer;
    // It only reads them, whatever its type says.
    response.writeHead(status, headers as string[]);
    response.end(answer.body);
    discard(request);
  }

  /** Whichever comes first counts: a handler that ends after `leave` has nobody to tell any more. */
  #orLeave(answer: Answer | Promise<Answer>): Answer | Promise<Answer> {
    if (!(answer instanceof Promise)) return answer;
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      const told =
        <T>(tell: (end: T) => void) =>
        (end: T): void => {
          this.#open.delete(call);
          tell(end);
        };
      this.#open.set(call, reject);
      answer.then(told(resolve), told(reject));
    });
  }

  #plain(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    this.write(request, response, answer);
    this.telemetry.served("http", OTHER, answer.status >= 400, 0);
  }

  #explain(cause: unknown, api: string): Answer {
    const refusal = refusalFrom(cause);
    logRefusal(this.api.log, refusal, api);
    return encodeRefusal(refusal);
  }
}
