/** From dtm's messages to what the commands take (protocol.md 2.1). Nothing is judged here but what can't be read at all. */
import type { dtmgimp } from "@dtm/protocol";
import type { BranchInput, StepInput, TransactionInput } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import { NO_OPTIONS, type TransactionOptions } from "../../engine/transaction.js";
import { checkCount } from "../../engine/validate.js";

export function toTransactionInput(request: dtmgimp.DtmRequest): TransactionInput {
  return {
    gid: request.Gid,
    type: request.TransType,
    // Whatever the client speaks to its branches: a step that starts with http:// is still called over HTTP.
    protocol: "grpc",
    steps: toSteps(request.Steps),
    payloads: request.BinPayloads,
    queryPrepared: request.QueryPrepared,
    customData: request.CustomedData,
    options: toOptions(request.TransOptions),
    rollbackReason: request.RollbackReason,
    extra: request.ReqExtra,
  };
}

/** Op and status of a workflow's branch travel in Data; the message's own Op is ignored, as dtm does. */
export function toBranchInput(request: dtmgimp.DtmBranchRequest): BranchInput {
  const { Data } = request;
  return {
    gid: request.Gid,
    type: request.TransType,
    branchId: request.BranchID,
    payload: request.BusiPayload,
    confirm: Data["confirm"] ?? "",
    cancel: Data["cancel"] ?? "",
    url: Data["url"] ?? "",
    op: Data["op"] ?? "",
    status: Data["status"] ?? "",
  };
}

/** There is no field for a concurrent msg, and a saga's concurrency is in its CustomedData. */
function toOptions(options: dtmgimp.DtmTransOptions | undefined): TransactionOptions {
  if (options === undefined) return NO_OPTIONS;
  return {
    waitResult: options.WaitResult,
    timeoutToFail: options.TimeoutToFail,
    requestTimeout: options.RequestTimeout,
    retryInterval: options.RetryInterval,
    retryLimit: options.RetryLimit,
    concurrent: false,
    branchHeaders: options.BranchHeaders,
  };
}

/** JSON text; Go sends `null` when there are none, C# an empty string. */
function toSteps(text: string): readonly StepInput[] {
  if (text === "") return [];
  const steps = parse(text);
  if (steps === null) return [];
  if (!Array.isArray(steps)) return refuse("Steps must be a JSON array of steps");
  checkCount("steps", steps.length);
  return steps.map((step: unknown, index) => {
    if (step === null) return { action: "", compensate: "" };
    if (!isObject(step)) return refuse(`Steps[${index}] must be an object of action and compensate`);
    return { action: urlOf(step, "action", index), compensate: urlOf(step, "compensate", index) };
  });
}

function urlOf(step: Record<string, unknown>, name: keyof StepInput, index: number): string {
  const url = step[name] ?? "";
  return typeof url === "string" ? url : refuse(`Steps[${index}].${name} must be a string`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal("UNPARSABLE", `Steps is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(message: string): never {
  throw new Refusal("INVALID_INPUT", message);
}
