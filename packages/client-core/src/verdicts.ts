/** The errors that answers about one transaction become. */
import { type DtmError, type GlobalStatus, isGlobalStatus, TOPIC_PREFIX } from "@dtm/protocol";
import { withoutUserinfo } from "./address.js";
import { TransactionError } from "./errors.js";
import type { BranchState, EncodedPayload, Reply, TransactionRequest, TransactionState } from "./transport.js";

export type Unclear = Extract<Reply<unknown>, { readonly kind: "error" | "silent" }>;

export type NotDone = Exclude<Reply<unknown>, { readonly kind: "done" }>;

/** What has to be known of a stored transaction to judge an answer. */
export type Stored = Pick<TransactionState, "gid" | "transType" | "status" | "rollbackReason"> &
  /** Only where they were asked for. */
  Partial<Pick<TransactionState, "branches">>;

export interface About {
  readonly what: string;
  readonly gid: string;
}

export function isUnclear<T>(reply: Reply<T>): reply is Unclear {
  return reply.kind === "error" || reply.kind === "silent";
}

export function isSilent(reply: Reply<unknown>): boolean {
  return reply.kind === "silent";
}

export function answerOf(reply: Reply<unknown>): string {
  return reply.kind === "done" ? "success" : `"${reply.message}"`;
}

/** How the wire words a submit or an abort that comes too late; "sumbmit" is its spelling (protocol.md 1.6, 1.7). */
const TOO_LATE = /^(?:trans type: '\w*' )?current status '(\w+)', cannot (?:sumbmit|abort)\b/;

/** The gid was used up before this request came. Anchored, since a branch's reason may hold anything. */
export function isTooLate(reply: NotDone): boolean {
  return reply.kind === "conflict" && TOO_LATE.test(reply.message);
}

/** What is stored under the gid isn't what this request asks for, so it can't have come from it. Empty when it may have. */
export function otherType({ transType }: TransactionRequest, stored: Stored): string {
  if (stored.transType === "" || stored.transType === transType) return "";
  return `expected a ${transType}, found a ${stored.transType}: `;
}

/**
 * As {@link otherType}, for the steps of a saga or a message: their order is the stored one of the branches. Empty also when nobody told them.
 * A topic is left out, since its branches are its subscribers', however many.
 */
export function otherSteps({ transType, steps = [], payloads = [] }: TransactionRequest, { branches = [] }: Stored): string {
  if ((transType !== "saga" && transType !== "msg") || branches.length === 0) return "";
  const stored = branches.filter(({ op }) => op === "action");
  const asked = steps.map(({ action }, step) => ({ url: action, payload: payloads[step] ?? "" }));
  const fixed = asked.filter(({ url }) => !url.startsWith(TOPIC_PREFIX));
  const asMany = fixed.length === stored.length || fixed.length < asked.length;
  if (!asMany || !follow(fixed, stored, isAction)) {
    const found = stored.map(({ url }) => withoutUserinfo(url)).join(", ");
    return `expected the actions ${asked.map(({ url }) => withoutUserinfo(url)).join(", ")}, found ${found}: `;
  }
  if (follow(fixed, stored, (step, branch) => isAction(step, branch) && !isOtherData(step.payload, branch.data))) return "";
  return "expected the payloads of these steps, found others at the same actions: ";
}

interface Asked {
  readonly url: string;
  readonly payload: EncodedPayload;
}

function isAction({ url }: Asked, branch: BranchState): boolean {
  return url === branch.url;
}

/** Whether each step has its branch, in this order. */
function follow(steps: readonly Asked[], branches: readonly BranchState[], isOf: typeof isAction): boolean {
  let found = 0;
  for (const branch of branches) {
    const next = steps[found];
    if (next !== undefined && isOf(next, branch)) found++;
  }
  return found === steps.length;
}

/** Where no data is told there is nothing to compare. */
function isOtherData(payload: EncodedPayload, data: Uint8Array): boolean {
  return data.length > 0 && Buffer.compare(Buffer.from(payload), data) !== 0;
}

/** The stored status, as a conflict's text names it: for clients that have no way to ask. */
export function storedAccordingTo({ gid, transType }: TransactionRequest, reply: NotDone): Stored | null {
  const status = reply.kind === "conflict" ? TOO_LATE.exec(reply.message)?.[1] : undefined;
  return status !== undefined && isGlobalStatus(status) ? { gid, transType, status, rollbackReason: "" } : null;
}

const STATUS = /current status '(\w+)'/;

/** For an error's own field; empty when the text names none. */
export function statusNamedIn(message: string): { readonly status?: GlobalStatus } {
  const status = STATUS.exec(message)?.[1];
  return status !== undefined && isGlobalStatus(status) ? { status } : {};
}

export function refused(about: About, message: string): DtmError {
  const subject = about.gid === "" ? about.what : `${about.what} of ${about.gid}`;
  return new TransactionError("COORDINATOR_REFUSED", `${subject} was refused: ${message}`, { gid: about.gid });
}

export function conflict(about: About, state: Stored, reply: Reply<unknown>, foreign = ""): DtmError {
  const message = `${about.what} of ${about.gid}: ${foreign}the transaction is '${state.status}' already (answered ${answerOf(reply)})`;
  return new TransactionError("TRANSACTION_CONFLICT", message, stateOf(state));
}

export function running(state: Stored, reply: Reply<unknown>): DtmError {
  const message = `${state.transType} ${state.gid} is '${state.status}': the coordinator goes on with it (answered ${answerOf(reply)})`;
  return new TransactionError("TRANSACTION_RUNNING", message, stateOf(state));
}

export function failed(state: Stored, reply: Reply<unknown>): DtmError {
  const how = state.status === "failed" ? "was rolled back" : "is being rolled back";
  const why = state.rollbackReason === "" ? answerOf(reply) : state.rollbackReason;
  return new TransactionError("TRANSACTION_FAILED", `${state.transType} ${state.gid} ${how}: ${why}`, stateOf(state));
}

function stateOf(state: Stored): { gid: string; status: GlobalStatus; rollbackReason: string } {
  return { gid: state.gid, status: state.status, rollbackReason: state.rollbackReason };
}

export function assertNever(value: never): never {
  throw new Error(`unexpected status: ${String(value)}`);
}
