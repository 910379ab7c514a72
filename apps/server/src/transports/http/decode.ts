/**
 * From JSON of any SDK to the coordinator's inputs (protocol.md 1.3, 1.9, 6.7). Everything a known SDK sends is understood: nulls,
 * duplicate and unknown keys, `[]` for an empty map, numbers as texts. Only what is named here is read, so the server's own columns
 * (`id`, `status`, `owner`, …) can't be set from outside. What the values may be is judged by the commands (R22).
 */
import type { BranchInput, StepInput, TransactionInput } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import type { TransactionOptions } from "../../engine/transaction.js";
import { checkCount } from "../../engine/validate.js";
import { fieldsOf, flagOf, isObject, type JsonObject, listOf, textMapOf, textOf, wholeOf } from "./json.js";

const TRANSACTION_FIELDS: ReadonlySet<string> = new Set([
  "gid",
  "trans_type",
  "steps",
  "payloads",
  "query_prepared",
  "protocol",
  "custom_data",
  "wait_result",
  "timeout_to_fail",
  "request_timeout",
  "retry_interval",
  "branch_headers",
  "concurrent",
  "retry_limit",
  "rollback_reason",
  "req_extra",
]);
const STEP_FIELDS: ReadonlySet<string> = new Set(["action", "compensate", "data"]);
const BRANCH_FIELDS: ReadonlySet<string> = new Set([
  "gid",
  "trans_type",
  "branch_id",
  "data",
  "confirm",
  "cancel",
  "url",
  "op",
  "status",
]);

/** dtm strips these from the gid on HTTP alone, so a gid that holds them is found under its clean name only (Q48). */
const UNCLEAN = /[\n\r;]/g;

export interface DecodeRules {
  readonly cleanGid: boolean;
}

export const OVER_HTTP: DecodeRules = { cleanGid: true };
/** JSON-RPC, and what names a stored transaction rather than making one. */
export const AS_WRITTEN: DecodeRules = { cleanGid: false };

export function decodeTransaction(body: unknown, rules: DecodeRules): TransactionInput {
  const fields = fieldsOf(body, TRANSACTION_FIELDS, "the body");
  const { steps, payloads } = decodeSteps(fields["steps"], fields["payloads"]);
  return {
    gid: decodeGid(fields["gid"], rules),
    type: textOf(fields["trans_type"], "trans_type"),
    protocol: textOf(fields["protocol"], "protocol") || "http",
    steps,
    payloads,
    queryPrepared: textOf(fields["query_prepared"], "query_prepared"),
    customData: textOf(fields["custom_data"], "custom_data"),
    options: decodeOptions(fields),
    rollbackReason: textOf(fields["rollback_reason"], "rollback_reason"),
    extra: textMapOf(fields["req_extra"], "req_extra"),
  };
}

export function decodeBranch(body: unknown, rules: DecodeRules): BranchInput {
  const fields = fieldsOf(body, BRANCH_FIELDS, "the body");
  return {
    gid: decodeGid(lenientText(fields["gid"]), rules),
    type: lenientText(fields["trans_type"]),
    branchId: lenientText(fields["branch_id"]),
    payload: bytesOf(lenientText(fields["data"])),
    confirm: lenientText(fields["confirm"]),
    cancel: lenientText(fields["cancel"]),
    url: lenientText(fields["url"]),
    op: lenientText(fields["op"]),
    status: lenientText(fields["status"]),
  };
}

const NO_STEPS = { steps: [], payloads: [] } as const;

/** Clients older than 1.10 put a step's payload into the step itself; it comes after `payloads`, in step order. */
export function decodeSteps(
  steps: unknown,
  payloads: unknown,
): { readonly steps: readonly StepInput[]; readonly payloads: readonly Uint8Array[] } {
  if (steps === undefined && payloads === undefined) return NO_STEPS;
  const bodies = boundedList(payloads, "payloads").map((payload, index) => bytesOf(textOf(payload, `payloads[${index}]`)));
  const decoded = boundedList(steps, "steps").map((step, index): StepInput => {
    const fields = fieldsOf(step, STEP_FIELDS, `steps[${index}]`);
    const data = textOf(fields["data"], `steps[${index}].data`);
    if (data !== "") bodies.push(bytesOf(data));
    return {
      action: textOf(fields["action"], `steps[${index}].action`),
      compensate: textOf(fields["compensate"], `steps[${index}].compensate`),
    };
  });
  return { steps: decoded, payloads: bodies };
}

/** Looked at before each of them is: a body holds more than a million, and those would hold everybody up (R17). */
function boundedList(value: unknown, name: "steps" | "payloads"): readonly unknown[] {
  const list = listOf(value, name);
  checkCount(name, list.length);
  return list;
}

function decodeOptions(fields: JsonObject): TransactionOptions {
  return {
    waitResult: flagOf(fields["wait_result"], "wait_result"),
    timeoutToFail: wholeOf(fields["timeout_to_fail"], "timeout_to_fail"),
    requestTimeout: wholeOf(fields["request_timeout"], "request_timeout"),
    retryInterval: wholeOf(fields["retry_interval"], "retry_interval"),
    retryLimit: wholeOf(fields["retry_limit"], "retry_limit"),
    concurrent: flagOf(fields["concurrent"], "concurrent"),
    branchHeaders: textMapOf(fields["branch_headers"], "branch_headers"),
  };
}

function decodeGid(value: unknown, rules: DecodeRules): string {
  const gid = textOf(value, "gid");
  return rules.cleanGid ? gid.replace(UNCLEAN, "") : gid;
}

/** Go refuses a branch whose values aren't all texts; here `"branch_id":1` and an object as `data` are understood (protocol.md 1.9). */
function lenientText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return isObject(value) || Array.isArray(value) ? jsonOf(value) : String(value);
}

/** JSON is read to any depth, and written only to that of the stack. */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Refusal("INVALID_INPUT", "a value is nested too deeply to be stored", { cause });
  }
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}
