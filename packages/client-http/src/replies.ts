/** What the coordinator's HTTP answers mean (protocol.md 1.1), and the objects in them (1.10, 1.11). */
import { isRefusalText, type Reply, type TransactionState, type WorkflowState } from "@dtm/client-core/internal";
import { isGlobalStatus, RESULT } from "@dtm/protocol";
import type { HttpAnswer } from "./exchange.js";
import { dateAt, isObject, type JsonObject, objectsAt, parseObject, textAt } from "./json.js";

/** Said by gateways in between, or by a coordinator that can't answer now: it may have acted all the same. */
const SILENT: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);
const LONGEST_QUOTE = 500;

/** `read` returns null for an object that isn't what a coordinator answers: something else listens there. */
export function replyFrom<T>(answer: HttpAnswer, read: (body: JsonObject) => Found<T> | null): Reply<T> {
  if (answer.kind === "none") {
    const { message, cause, timedOut } = answer;
    return { kind: "silent", message, cause, timedOut };
  }
  const { status } = answer;
  const text = answer.body.toString("utf8");
  const body = parseObject(text);
  const message = body === null ? `${status} ${quote(text)}` : textAt(body, "message") || `${status} ${quote(text)}`;
  if (status === 200) return success(body, read, text);
  if (status === 409) return { kind: "conflict", message };
  if (status === 425) return { kind: "ongoing", message };
  if (SILENT.has(status)) return { kind: "silent", message: `answered ${status}: ${message}`, cause: undefined };
  if (status < 500 || isRefusalText(message))
    return { kind: "refused", message: status === 500 ? message : `${status}: ${message}` };
  return { kind: "error", message };
}

function success<T>(body: JsonObject | null, read: (body: JsonObject) => Found<T> | null, text: string): Reply<T> {
  const found = body === null ? null : read(body);
  if (found !== null) return { kind: "done", value: found.value };
  return { kind: "refused", message: `expected a coordinator's answer, found 200 ${quote(text)}: is this its address?` };
}

/** Said with a refusal by a coordinator that a branch call named: where it is our own in other words, nothing else tells why it refused. */
export function askedWithoutToken<T>(
  reply: Reply<T>,
  { named, own }: { readonly named: string; readonly own: string },
): Reply<T> {
  if (reply.kind !== "refused") return reply;
  const why = `the branch call named the coordinator ${named}, and this client's is ${own}: its token and headers weren't sent`;
  return { ...reply, message: `${reply.message} (${why})` };
}

/** A wrapper, since null means "not a coordinator's answer". */
export interface Found<T> {
  readonly value: T;
}

export function doneIn(body: JsonObject): Found<void> | null {
  return body["dtm_result"] === RESULT.success ? { value: undefined } : null;
}

export function gidIn(body: JsonObject): Found<string> | null {
  const gid = textAt(body, "gid");
  return gid === "" ? null : { value: gid };
}

export function transactionIn(body: JsonObject): Found<TransactionState | null> | null {
  const stored = body["transaction"];
  if (stored === null) return { value: null };
  if (!isObject(stored)) return null;
  const status = textAt(stored, "status");
  if (!isGlobalStatus(status)) return null;
  return {
    value: {
      gid: textAt(stored, "gid"),
      transType: textAt(stored, "trans_type"),
      status,
      rollbackReason: textAt(stored, "rollback_reason"),
      result: textAt(stored, "result"),
      customData: textAt(stored, "custom_data"),
      createdAt: dateAt(stored, "create_time"),
      finishedAt: dateAt(stored, "finish_time"),
      rolledBackAt: dateAt(stored, "rollback_time"),
      branches: objectsAt(body, "branches").map((branch) => ({
        branchId: textAt(branch, "branch_id"),
        op: textAt(branch, "op"),
        status: textAt(branch, "status"),
        url: textAt(branch, "url"),
        data: bytesAt(branch),
        finishedAt: dateAt(branch, "finish_time") ?? dateAt(branch, "rollback_time"),
      })),
    },
  };
}

export function workflowIn(body: JsonObject): Found<WorkflowState> | null {
  const stored = body["transaction"];
  if (!isObject(stored)) return null;
  return {
    value: {
      gid: textAt(stored, "gid"),
      transType: textAt(stored, "trans_type"),
      customData: textAt(stored, "custom_data"),
      status: textAt(stored, "status"),
      rollbackReason: textAt(stored, "rollback_reason"),
      result: textAt(stored, "result"),
      progresses: objectsAt(body, "progresses").map((progress) => ({
        branchId: textAt(progress, "branch_id"),
        op: textAt(progress, "op"),
        status: textAt(progress, "status"),
        data: bytesAt(progress),
      })),
    },
  };
}

function bytesAt(object: JsonObject): Uint8Array {
  return Buffer.from(textAt(object, "bin_data"), "base64");
}

function quote(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text);
}
