/** What a handler gave back: whether it was a success, and whether its work was done at all. */
import { DtmError, Failure, Ongoing } from "@dtm/protocol";
import type { BranchCall } from "./context.js";
import type { Served } from "./serve.js";

/** An error that has a status of its own, such as a body that is too long; all of these are asked again. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

/** The status of an error that isn't a verdict; one of a success or of a verdict would be read as that. */
export function statusOf(error: unknown): number {
  if (!(error instanceof RequestError)) return 500;
  const { status } = error;
  return status >= 400 && status <= 599 && status !== 409 && status !== 425 ? status : 500;
}

/**
 * From JavaScript anything may come; found out when the route is made, not when a coordinator calls.
 *
 * @throws DtmError OPTION_INVALID.
 */
export function requireHandler(handler: unknown, options: unknown): void {
  if (typeof handler !== "function") throw invalid(`handler: expected a function, found ${show(handler)}`);
  if (isTagged(handler, "GeneratorFunction") || isTagged(handler, "AsyncGeneratorFunction")) {
    throw invalid("handler: expected a function that does its work when it is called, found a generator function");
  }
  if (!isObject(options)) throw invalid(`options: expected an object, found ${show(options)}`);
}

/**
 * A verdict that is returned instead of thrown is a verdict all the same: as a success it would lose a refusal. What nobody reads wouldn't be done:
 * generators and streams are refused.
 */
export async function fromResult(call: BranchCall, result: unknown): Promise<Served> {
  if (!isObject(result)) return { kind: "success", call, result };
  if (result instanceof Error) return fromError(call, result);
  if (isTagged(result, "Generator") || Symbol.asyncIterator in result) {
    const found = "a generator, a stream or another iterator, which nobody reads";
    return fromError(call, invalid(`handler: expected to return when its work is done, found that it returned ${found}`));
  }
  if (isResponse(result)) return await fromResponse(call, result);
  const verdict: unknown = Reflect.get(result, "dtm_result");
  const message: unknown = Reflect.get(result, "message");
  const text = typeof message === "string" ? message : "";
  if (verdict === "FAILURE") return { kind: "failure", call, message: text };
  if (verdict === "ONGOING") return { kind: "ongoing", call, message: text, retryAfterSeconds: null };
  return { kind: "success", call, result };
}

export function fromError(call: BranchCall, error: unknown): Served {
  if (error instanceof Failure) return { kind: "failure", call, message: error.message };
  if (error instanceof Ongoing) {
    return { kind: "ongoing", call, message: error.message, retryAfterSeconds: error.retryAfterSeconds ?? null };
  }
  return { kind: "error", call, error };
}

/** What `fetch` gives. */
type FetchResponse = Pick<Response, "ok" | "status" | "bodyUsed" | "text">;

/** Its status is the branch's own; the body of a success is the result. */
async function fromResponse(call: BranchCall, response: FetchResponse): Promise<Served> {
  const { ok, status } = response;
  const text = response.bodyUsed ? "" : await response.text();
  if (ok) return await fromResult(call, parsed(text));
  if (status === 409) return { kind: "failure", call, message: text };
  if (status === 425) return { kind: "ongoing", call, message: text, retryAfterSeconds: null };
  const error = new RequestError(
    status,
    `the handler of a branch returned a Response of status ${status}: ${text.slice(0, 500)}`,
  );
  return { kind: "error", call, error };
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** By its name: there are more classes of it than node's own. */
function isResponse(value: object): value is FetchResponse {
  const isMade = typeof Reflect.get(value, "status") === "number" && typeof Reflect.get(value, "text") === "function";
  return isTagged(value, "Response") && isMade;
}

function isTagged(value: object, tag: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${tag}]`;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function invalid(message: string): DtmError {
  return new DtmError("OPTION_INVALID", message);
}

function show(value: unknown): string {
  return value === null ? "null" : typeof value;
}
