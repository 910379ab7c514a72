import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { unpacked } from "./content-encoding.js";
import type { HttpCall } from "./http.js";
import type { Carried, Connection } from "./http-pools.js";

/** What of a long answer is read and thrown away, so that its connection can be used again and its sender isn't cut off. */
const DRAINED_BYTES = 4 * 1024 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const NONE = new Error("the answer is not needed any more");
const NOTHING = Buffer.alloc(0);

/** One request on one connection, in undici's words. */
export class HttpAttempt implements Dispatcher.DispatchHandler, Carried {
  readonly #call: HttpCall;
  #connection: Connection | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  /** What the socket had read when the request was written: more than nothing means that it was used before. */
  #readBefore = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #redirected = false;
  /** The verdict is known, the rest is read for the connection's sake. */
  #draining = false;

  constructor(call: HttpCall) {
    this.#call = call;
  }

  carriedBy(connection: Connection): void {
    this.#connection = connection;
  }

  abort(): void {
    this.#controller?.abort(NONE);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#call.answered) controller.abort(NONE);
    else this.#readBefore = this.#connection?.socket?.bytesRead ?? 0;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#redirected = REDIRECTS.has(status) && headers.location !== undefined;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (!this.#draining && !this.#redirected) {
      this.#chunks.push(chunk);
      if (this.#bytes < this.#call.bodyLimit) return;
      this.#draining = true;
      this.#finish();
    }
    if (this.#bytes > DRAINED_BYTES) controller.abort(NONE);
  }

  onResponseEnd(): void {
    const { location } = this.#headers;
    if (this.#redirected && location !== undefined) this.#call.follow(this.#status, location);
    else if (!this.#draining) this.#finish();
    this.#call.ended(this);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (!this.#draining && !(this.#wasCutUnread(error) && this.#call.repeat())) this.#call.fail(textOf(error));
    this.#call.ended(this);
  }

  #finish(): void {
    const [first = Buffer.alloc(0)] = this.#chunks;
    const body = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first;
    this.#chunks = [];
    const plain = unpacked(body, this.#headers["content-encoding"]);
    // The body may hold a refusal (protocol.md 3.2), so what can't be read is no success.
    if (plain === null && this.#status === 200)
      this.#call.fail(`answered 200 with a body of Content-Encoding ${this.#headers["content-encoding"]}, which can't be read`);
    else this.#call.finish(this.#status, this.#headers, (plain ?? NOTHING).toString("utf8", 0, this.#call.bodyLimit));
  }

  #wasCutUnread(error: Error): boolean {
    return this.#readBefore > 0 && this.#connection?.socket?.bytesRead === this.#readBefore && RESETS.has(codeOf(error));
  }
}

const RESETS = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** A failed attempt on several addresses has an empty message of its own. */
function textOf(error: Error): string {
  return error.message || codeOf(error) || error.name;
}
