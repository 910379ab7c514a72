/**
 * One HTTP call: its deadline, its redirects and its one repeat. What the answer means is the protocol package's business
 * (outcomeFromHttp), what is sent is decided by the callers at the end of this file and in json-rpc.ts.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Outcome, outcomeFromHttp } from "@dtm/protocol";
import type { Dispatcher } from "undici";
import { httpHeaders, withoutCredentials } from "./branch-headers.js";
import type { Egress } from "./egress.js";
import { HttpAttempt } from "./http-attempt.js";
import type { CarriedOptions, HttpPools } from "./http-pools.js";
import { type HttpTarget, type ParsedTarget, parseTarget, pathWithQuery } from "./http-target.js";
import type { Invocation } from "./participant.js";

export interface HttpRequest {
  readonly target: HttpTarget;
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly headers: string[];
  /** Empty for none. */
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  /** What of the answer is read for the verdict (R17). */
  readonly bodyLimit: number;
}

export type HttpAnswer =
  | { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }
  | { readonly error: string };

export interface HttpParts {
  readonly pools: HttpPools;
  readonly egress: Egress;
}

/** Never rejects, and always ends within the request's `timeoutMs`. */
export function sendHttp(parts: HttpParts, request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve) => new HttpCall(parts, request, resolve).start());
}

const MAX_HOPS = 3;
/** setTimeout takes a longer delay for none at all (R19). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Where the call stands: redirects move it on. */
interface Hop {
  readonly target: HttpTarget;
  readonly path: string;
  readonly headers: string[];
}

export class HttpCall {
  readonly #parts: HttpParts;
  readonly #request: HttpRequest;
  readonly #resolve: (answer: HttpAnswer) => void;
  #hop: Hop;
  #attempt: HttpAttempt | null = null;
  #timer: NodeJS.Timeout | undefined;
  #hops = 0;
  #repeated = false;
  #answered = false;

  constructor(parts: HttpParts, request: HttpRequest, resolve: (answer: HttpAnswer) => void) {
    this.#parts = parts;
    this.#request = request;
    this.#resolve = resolve;
    this.#hop = request;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#expire(), Math.min(this.#request.timeoutMs, LONGEST_TIMER_MS));
    this.#send(false);
  }

  /** A queued attempt is asked for this before it is written: nothing may go out after its deadline. */
  get answered(): boolean {
    return this.#answered;
  }

  get bodyLimit(): number {
    return this.#request.bodyLimit;
  }

  follow(status: number, location: string): void {
    const refusal = this.#refuseRedirect(status) ?? this.#moveTo(location);
    if (refusal === null) this.#send(false);
    else this.fail(`answered ${status} with location ${location}, ${refusal}`);
  }

  /** R21: a method that changes things is repeated elsewhere only by the codes that say so. */
  #refuseRedirect(status: number): string | null {
    if (status !== 307 && status !== 308 && this.#request.method !== "GET") return "which is only followed for GET";
    this.#hops++;
    return this.#hops > MAX_HOPS ? `which is more than ${MAX_HOPS} redirects` : null;
  }

  #moveTo(location: string): string | null {
    const { target: from, path, headers } = this.#hop;
    const to = resolved(location, from.origin + path);
    if ("error" in to) return `which can't be followed: ${to.error}`;
    this.#hop = { target: to, path: to.path, headers: to.origin === from.origin ? headers : withoutCredentials(headers) };
    return null;
  }

  finish(status: number, headers: IncomingHttpHeaders, body: string): void {
    this.#answer({ status, headers, body });
  }

  fail(text: string): void {
    const { target, path } = this.#hop;
    this.#answer({ error: `${this.#request.method} ${target.origin}${path}: ${text}` });
  }

  /** The connection was reused and had been closed meanwhile: most likely nobody read this request (R20). */
  repeat(): boolean {
    if (this.#repeated || this.#answered) return false;
    this.#repeated = true;
    this.#send(true);
    return true;
  }

  /** The attempt's stream has ended; until then the timer bounds how long an answer's rest may take. */
  ended(attempt: HttpAttempt): void {
    if (attempt === this.#attempt && this.#answered) clearTimeout(this.#timer);
  }

  #answer(answer: HttpAnswer): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#resolve(answer);
  }

  #expire(): void {
    this.fail(`no answer within ${this.#request.timeoutMs} ms`);
    this.#attempt?.abort();
  }

  #send(fresh: boolean): void {
    const { target, path, headers } = this.#hop;
    const refusal = this.#parts.egress.refuse(target.place);
    if (refusal !== null) {
      clearTimeout(this.#timer);
      return this.fail(`not called: ${refusal}`);
    }
    const { method, body } = this.#request;
    const attempt = new HttpAttempt(this);
    this.#attempt = attempt;
    const options: CarriedOptions = {
      origin: target.origin,
      path,
      method,
      headers,
      body: body.length === 0 ? null : body,
      attempt,
    };
    const { pools } = this.#parts;
    if (!fresh) pools.of(target.origin).dispatch(options, attempt);
    else dispatchOnce(pools.fresh(target.origin), options, attempt);
  }
}

/** Closes after its only call; closing waits for that. */
function dispatchOnce(client: Dispatcher, options: CarriedOptions, attempt: HttpAttempt): void {
  client.dispatch(options, attempt);
  void client.close();
}

function resolved(location: string, base: string): ParsedTarget {
  try {
    return parseTarget(new URL(location, base).href);
  } catch {
    return { error: "not a URL" };
  }
}

/** R17. */
export const VERDICT_BYTES = 64 * 1024;

/** A branch call over HTTP as protocol.md 3.2 describes it. */
export async function callHttp(parts: HttpParts, target: HttpTarget, invocation: Invocation): Promise<Outcome> {
  const { payload, type, headers, timeoutMs } = invocation;
  const answer = await sendHttp(parts, {
    target,
    path: pathWithQuery(target, invocation),
    method: payload.length > 0 || type === "xa" ? "POST" : "GET",
    headers: httpHeaders(headers, target.authorization),
    body: payload,
    timeoutMs,
    bodyLimit: VERDICT_BYTES,
  });
  if ("error" in answer) return { kind: "unknown", message: answer.error };
  return outcomeFromHttp(answer.status, answer.body, answer.headers);
}
