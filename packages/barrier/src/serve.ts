/**
 * Between a framework and a handler: what a request says becomes a {@link BranchCall}, what the handler did becomes an answer that every
 * coordinator reads as it was meant (protocol.md 3.2 and 3.3). Knows no framework; express.ts, fastify.ts, nest.ts and grpc.ts do.
 */
import { BRANCH_KEYS, branchFrom, DtmError } from "@dtm/protocol";
import { BranchCall } from "./context.js";
import { runAsBranch } from "./nested.js";
import { fromError, fromResult, statusOf } from "./serve-result.js";

/** Reads a named value of a request: from the query over HTTP, from the metadata (without its `dtm-`) over gRPC. */
export type ReadValue = (key: string) => string | null | undefined;

/** What all entry points take. */
export interface ServeOptions {
  /**
   * Told once of each error that is neither `Failure` nor `Ongoing`; the coordinator gets a general text instead and asks again.
   * Default: `console.error`.
   */
  readonly onError?: (error: unknown, call: BranchCall | null) => void;
  /**
   * Told when what the handler returned couldn't be the answer of a success and was replaced by the plain one: over HTTP it isn't JSON, or its
   * text contains `FAILURE` or `ONGOING`, which every coordinator would read as a verdict; over gRPC it can't be serialised. Default:
   * `console.warn`.
   */
  readonly onWarning?: (message: string, call: BranchCall) => void;
}

/** How one call of a branch ended. */
export type Served =
  | { readonly kind: "success"; readonly call: BranchCall; readonly result: unknown }
  | { readonly kind: "failure"; readonly call: BranchCall; readonly message: string }
  | { readonly kind: "ongoing"; readonly call: BranchCall; readonly message: string; readonly retryAfterSeconds: number | null }
  /** It isn't the call of a coordinator; the handler didn't run. */
  | { readonly kind: "invalid"; readonly message: string }
  /** Anything else: nobody knows, so it is asked again. */
  | { readonly kind: "error"; readonly call: BranchCall; readonly error: unknown };

/** An answer over HTTP, ready to be written. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body: string;
}

/**
 * Reads which branch a request belongs to.
 *
 * @throws DtmError BRANCH_INVALID when gid, branch id, op or type is missing.
 */
export function branchCallFrom(read: ReadValue): BranchCall {
  const branch = branchFrom(read);
  if (branch === null) {
    const found = [BRANCH_KEYS.gid, BRANCH_KEYS.branchId, BRANCH_KEYS.op, BRANCH_KEYS.transType].filter((key) => read(key));
    const all = "expected gid, branch_id, op and trans_type, which a coordinator sends with every branch call";
    throw new DtmError("BRANCH_INVALID", `${all}; found ${found.length === 0 ? "none of them" : `only ${found.join(", ")}`}`);
  }
  return new BranchCall({
    ...branch,
    coordinator: read(BRANCH_KEYS.coordinator) || undefined,
    phase2Url: read(BRANCH_KEYS.phase2Url) || undefined,
  });
}

/** The query of a request's URL (path and query are enough). Of a name that comes twice, the first counts, as in Go. */
export function readQuery(url: string): ReadValue {
  const start = url.indexOf("?");
  const query = new URLSearchParams(start < 0 ? "" : url.slice(start + 1));
  return (key) => query.get(key);
}

/**
 * Runs the handler as the branch that the request names, and waits for the nested branches and local transactions that it left under way. Never
 * throws: what went wrong is in what it returns, and an error that isn't a verdict has been told to `onError`.
 */
export async function serve(read: ReadValue, handle: (call: BranchCall) => unknown, options: ServeOptions = {}): Promise<Served> {
  let call: BranchCall;
  try {
    call = branchCallFrom(read);
  } catch (cause) {
    return { kind: "invalid", message: cause instanceof Error ? cause.message : String(cause) };
  }
  let served: Served;
  try {
    served = await fromResult(call, await runAsBranch(call, () => handle(call)));
  } catch (cause) {
    served = fromError(call, cause);
  }
  if (served.kind === "error") report(served.error, call, options);
  return served;
}

const SUCCESS_BODY = '{"dtm_result":"SUCCESS"}';

/** What the coordinator is told of an error: its own text may name tables, hosts or customers. */
export const ERROR_TEXT = "the branch ended with an error, which is in the log of its service";

/** The answer over HTTP: 200, 409, 425, 400 for what isn't a branch call, else 500. */
export function httpAnswer(served: Served, options: ServeOptions = {}): HttpAnswer {
  switch (served.kind) {
    case "success":
      return jsonAnswer(200, successBody(served.call, served.result, options));
    case "failure":
      return jsonAnswer(409, JSON.stringify({ dtm_result: "FAILURE", message: harmless(served.message) }));
    case "ongoing":
      return jsonAnswer(
        425,
        JSON.stringify({ dtm_result: "ONGOING", message: harmless(served.message) }),
        retryAfter(served.retryAfterSeconds),
      );
    case "invalid":
      return jsonAnswer(400, JSON.stringify({ code: "BRANCH_INVALID", message: harmless(served.message) }));
    case "error":
      return jsonAnswer(statusOf(served.error), JSON.stringify({ message: ERROR_TEXT }));
    default:
      return assertNever(served);
  }
}

function jsonAnswer(status: number, body: string, more: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status, headers: { "content-type": "application/json", ...more }, body };
}

/** The branch has done its work: nothing about its result may turn that into another verdict, or into a repeat that never ends. */
export function successBody(call: BranchCall, result: unknown, options: ServeOptions = {}): string {
  if (result === undefined) return SUCCESS_BODY;
  const label = `the result of branch ${call.branchId} (${call.op}) of ${call.gid} was replaced by the plain success`;
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (cause) {
    warn(`${label}: it isn't JSON (${cause instanceof Error ? cause.message : String(cause)})`, call, options);
    return SUCCESS_BODY;
  }
  if (text === undefined) {
    warn(`${label}: a ${typeof result} isn't JSON`, call, options);
    return SUCCESS_BODY;
  }
  if (text.includes("FAILURE") || text.includes("ONGOING")) {
    warn(`${label}: it contains FAILURE or ONGOING, which every coordinator would read as the verdict`, call, options);
    return SUCCESS_BODY;
  }
  return text;
}

/** "ONGOING" within the text of a refusal would be read as "ask again", for ever; small letters aren't. */
export function harmless(message: string): string {
  // Half of a surrogate pair, as a cut emoji leaves it, can't be sent over gRPC.
  return Buffer.from(message, "utf8").toString("utf8").replaceAll("ONGOING", "ongoing").replaceAll("FAILURE", "failure");
}

function retryAfter(seconds: number | null): Readonly<Record<string, string>> {
  if (seconds === null || !Number.isFinite(seconds) || seconds <= 0) return {};
  return { "retry-after": String(Math.ceil(seconds)) };
}

/** A hook of the user's that fails mustn't change the answer, and what it was to be told mustn't be lost. */
export function report(error: unknown, call: BranchCall | null, { onError }: ServeOptions): void {
  const label = call === null ? "dtm branch" : `dtm branch ${call.branchId} (${call.op}) of ${call.gid}`;
  const say = () => console.error(`${label} ended with an error; the coordinator asks again`, error);
  if (onError === undefined) say();
  else told("onError", () => onError(error, call), say);
}

/**
 * Tells that a handler wrote the response by itself.
 *
 * @param isAnswered - Whether the caller gets to know how the branch ended: a verdict that he doesn't is told.
 */
export function reportEarly(served: Served, isAnswered: boolean, options: ServeOptions): void {
  const lost = isAnswered || !("message" in served) ? "" : ` (its ${served.kind} isn't answered: ${served.message})`;
  const message = `the response of a branch was written${lost} before its handler had ended: return or throw instead`;
  report(new Error(message), served.kind === "invalid" ? null : served.call, options);
}

/** Tells `onWarning`. */
export function warn(message: string, call: BranchCall, { onWarning }: ServeOptions): void {
  const say = () => console.warn(message);
  if (onWarning === undefined) say();
  else told("onWarning", () => onWarning(message, call), say);
}

/** Calls a hook, which may also be asynchronous. */
function told(name: string, hook: () => unknown, otherwise: () => void): void {
  void (async () => hook())().catch((cause: unknown) => {
    console.error(`${name} of a dtm branch failed`, cause);
    otherwise();
  });
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
