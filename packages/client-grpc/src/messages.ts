/** Requests as messages (protocol.md 2.1), and what the coordinator's status codes mean (2.2). */
import {
  type BranchRegistration,
  type EncodedPayload,
  isRefusalText,
  type Reply,
  type TransactionRequest,
  type WorkflowState,
} from "@dtm/client-core/internal";
import { dtmgimp, GRPC } from "@dtm/protocol";
import { status } from "@grpc/grpc-js";
import type { UnaryAnswer } from "./channels.js";

export function requestMessage(request: TransactionRequest): dtmgimp.DtmRequest {
  const { options } = request;
  return {
    Gid: request.gid,
    TransType: request.transType,
    TransOptions: {
      WaitResult: options.waitResult,
      TimeoutToFail: options.timeoutToFail,
      RetryInterval: options.retryInterval,
      BranchHeaders: { ...options.branchHeaders },
      RequestTimeout: options.requestTimeout,
      RetryLimit: options.retryLimit,
    },
    CustomedData: request.customData ?? "",
    BinPayloads: (request.payloads ?? []).map(bytesOf),
    QueryPrepared: request.queryPrepared ?? "",
    Steps: request.steps === undefined ? "" : JSON.stringify(request.steps),
    ReqExtra: { ...request.extra },
    RollbackReason: request.rollbackReason ?? "",
  };
}

export function branchMessage(registration: BranchRegistration): dtmgimp.DtmBranchRequest {
  return {
    Gid: registration.gid,
    TransType: registration.transType,
    BranchID: registration.branchId,
    Op: "",
    Data: { ...registration.data },
    BusiPayload: bytesOf(registration.payload ?? ""),
  };
}

export function bytesOf(payload: EncodedPayload): Buffer {
  return typeof payload === "string" ? Buffer.from(payload, "utf8") : Buffer.from(payload);
}

export function workflowFrom(bytes: Buffer): WorkflowState {
  const { Transaction: stored, Progresses: progresses } = dtmgimp.DtmProgressesReply.decode(bytes);
  return {
    gid: stored?.Gid ?? "",
    transType: "",
    customData: "",
    status: stored?.Status ?? "",
    rollbackReason: stored?.RollbackReason ?? "",
    result: stored?.Result ?? "",
    progresses: progresses.map(({ BranchID, Op, Status, BinData }) => ({
      branchId: BranchID,
      op: Op,
      status: Status,
      data: BinData,
    })),
  };
}

const SILENT: ReadonlySet<number> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED]);
const BROKEN: ReadonlySet<number> = new Set([status.UNKNOWN, status.INTERNAL, status.DATA_LOSS]);

/** grpc-js' own words, with INTERNAL or UNKNOWN, when whoever is in between ends a call that has no status: the coordinator may carry it out nevertheless. */
function isBrokenOff(details: string): boolean {
  return details.startsWith("Received RST_STREAM with code ");
}

/**
 * @param waiting - The code may be a branch's own then (2.2): it says nothing about the request.
 */
export function replyFrom<T>(answer: UnaryAnswer, read: (bytes: Buffer) => T, waiting = false): Reply<T> {
  if (answer.kind === "ok") return done(answer.bytes, read);
  const { code, details, cause } = answer;
  const message = `${status[code] ?? code}: ${details}`;
  if (code === GRPC.aborted) return { kind: "conflict", message: details };
  if (code === GRPC.failedPrecondition) return { kind: "ongoing", message: details };
  if (SILENT.has(code) || isBrokenOff(details))
    return { kind: "silent", message, cause, timedOut: code === status.DEADLINE_EXCEEDED };
  if (waiting) return { kind: "error", message };
  return {
    kind: BROKEN.has(code) && !isRefusalText(details) ? "error" : "refused",
    message: isRefusalText(details) ? details : message,
  };
}

/** By the coordinator, or by a branch that it called (2.2): the code alone doesn't tell. */
export function isDenied(answer: UnaryAnswer): boolean {
  return answer.kind === "status" && (answer.code === status.UNAUTHENTICATED || answer.code === status.PERMISSION_DENIED);
}

function done<T>(bytes: Buffer, read: (bytes: Buffer) => T): Reply<T> {
  try {
    return { kind: "done", value: read(bytes) };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return {
      kind: "refused",
      message: `expected a coordinator's answer, found another message (${message}): is this its address?`,
    };
  }
}
