/** The errors that answers about one transaction become. */
import type { DtmError, GlobalStatus } from "@dtm/protocol";
import { TransactionError } from "./errors.js";
import type { Reply, TransactionState } from "./transport.js";

export type Unclear = Extract<Reply<unknown>, { readonly kind: "error" | "silent" }>;

export type NotDone = Exclude<Reply<unknown>, { readonly kind: "done" }>;

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

export function refused(about: About, message: string): DtmError {
  const subject = about.gid === "" ? about.what : `${about.what} of ${about.gid}`;
  return new TransactionError("COORDINATOR_REFUSED", `${subject} was refused: ${message}`, { gid: about.gid });
}

export function conflict(about: About, state: TransactionState, reply: Reply<unknown>): DtmError {
  const message = `${about.what} of ${about.gid}: the transaction is '${state.status}' already (answered ${answerOf(reply)})`;
  return new TransactionError("TRANSACTION_CONFLICT", message, stateOf(state));
}

export function running(state: TransactionState, reply: Reply<unknown>): DtmError {
  const message = `${state.transType} ${state.gid} is '${state.status}': the coordinator goes on with it (answered ${answerOf(reply)})`;
  return new TransactionError("TRANSACTION_RUNNING", message, stateOf(state));
}

export function failed(state: TransactionState, reply: Reply<unknown>): DtmError {
  const how = state.status === "failed" ? "was rolled back" : "is being rolled back";
  const why = state.rollbackReason === "" ? answerOf(reply) : state.rollbackReason;
  return new TransactionError("TRANSACTION_FAILED", `${state.transType} ${state.gid} ${how}: ${why}`, stateOf(state));
}

function stateOf(state: TransactionState): { gid: string; status: GlobalStatus; rollbackReason: string } {
  return { gid: state.gid, status: state.status, rollbackReason: state.rollbackReason };
}

export function assertNever(value: never): never {
  throw new Error(`unexpected status: ${String(value)}`);
}
