/** What is refused before anything is stored, the same for every transport (R22). */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { isTransactionType } from "@dtm/protocol";
import type { BranchInput, TransactionInput } from "./coordinator.js";
import { Refusal } from "./refusal.js";
import type { TransactionOptions, TransactionType } from "./transaction.js";

const TEN_YEARS_SECONDS = 10 * 366 * 86_400;
const PAYLOAD_LIMIT = 1024 * 1024;
/** A drive looks at every row in each of its turns, so twice as many cost four times as much. */
export const MOST_STEPS = 10_000;
/** They are made without delay, and nothing else of the saga happens meanwhile. */
const MOST_RETRIES = 10_000;
/** dtm's column widths, in characters (protocol.md 5.1). */
const WIDTHS = {
  gid: 128,
  url: 1024,
  query_prepared: 1024,
  protocol: 45,
  custom_data: 1024,
  options: 1024,
  result: 1024,
  branch_id: 128,
  op: 45,
} as const;

function refuse(message: string): never {
  throw new Refusal("INVALID_INPUT", message);
}

export function checkGid(gid: string): void {
  checkStoredGid(gid);
  checkText("gid", gid);
}

/** Of a transaction that is there already: dtm keeps a gid of any length in Redis, and an import brings it along. */
export function checkStoredGid(gid: string): void {
  if (gid === "") refuse("gid is empty: ask newGid for one or choose a unique text");
  if (gid.includes("\0")) refuse("gid contains a NUL character");
}

export function checkType(type: string): TransactionType {
  if (isTransactionType(type)) return type;
  return refuse(`unknown trans type: '${type.slice(0, 45)}', expected saga, tcc, xa, msg or workflow`);
}

export function checkTransaction(input: TransactionInput): TransactionType {
  checkGid(input.gid);
  const type = checkType(input.type);
  checkText("query_prepared", input.queryPrepared);
  checkText("protocol", input.protocol);
  checkText("custom_data", input.customData);
  checkOptions(input.options);
  if (type === "saga" || type === "msg") checkSteps(input);
  return type;
}

export function checkBranch(input: BranchInput): void {
  checkGid(input.gid);
  checkText("branch_id", input.branchId);
  checkText("url", input.confirm, "confirm");
  checkText("url", input.cancel, "cancel");
  checkText("url", input.url);
  checkText("op", input.op);
  checkPayload(input.payload, "data");
}

export function checkSeconds(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0) refuse(`${name} must be a number of seconds, 0 or more; found ${value}`);
  if (value > TEN_YEARS_SECONDS) refuse(`${name} is over ten years: ${value} seconds`);
}

export function checkText(column: keyof typeof WIDTHS, text: string, name: string = column): void {
  const width = WIDTHS[column];
  // A character has one or two UTF-16 units, so the usual case costs one comparison, and one of megabytes isn't taken apart.
  if (text.length > 2 * width || (text.length > width && [...text].length > width))
    refuse(`${name} is longer than ${width} characters`);
  if (text.includes("\0")) refuse(`${name} contains a NUL character`);
}

function checkOptions(options: TransactionOptions): void {
  checkSeconds("timeout_to_fail", options.timeoutToFail);
  checkSeconds("request_timeout", options.requestTimeout);
  checkSeconds("retry_interval", options.retryInterval);
  if (!Number.isSafeInteger(options.retryLimit) || options.retryLimit < 0)
    refuse(`retry_limit must be a whole number, 0 or more; found ${options.retryLimit}`);
  if (options.retryLimit > MOST_RETRIES) refuse(`retry_limit is over ${MOST_RETRIES}: ${options.retryLimit}`);
  // Before each header is looked at: a request may bring a quarter of a million.
  checkText("options", storedText(options));
  for (const name in options.branchHeaders) {
    const value = options.branchHeaders[name] ?? "";
    try {
      validateHeaderName(name);
      // As it is sent: its UTF-8 bytes, as Go does.
      validateHeaderValue(name, Buffer.from(value).toString("latin1"));
    } catch (cause) {
      throw new Refusal(
        "INVALID_INPUT",
        `branch_headers has a name or value that HTTP refuses: ${JSON.stringify(name.slice(0, 100))}`,
        { cause },
      );
    }
  }
}

/** The text that SQL stores keep in a column of 1024 characters; only headers can make it long. */
function storedText(options: TransactionOptions): string {
  const { waitResult, timeoutToFail, requestTimeout, retryInterval, branchHeaders, concurrent, retryLimit } = options;
  if (Object.keys(branchHeaders).length === 0) return "";
  return JSON.stringify({
    wait_result: waitResult || undefined,
    timeout_to_fail: timeoutToFail || undefined,
    request_timeout: requestTimeout || undefined,
    retry_interval: retryInterval || undefined,
    branch_headers: branchHeaders,
    concurrent,
    retry_limit: retryLimit || undefined,
  });
}

function checkSteps(input: TransactionInput): void {
  const { steps, payloads } = input;
  checkCount("steps", steps.length);
  if (steps.length > payloads.length) {
    refuse(
      `steps and payloads differ: index out of range [${payloads.length}] with length ${payloads.length}, ${steps.length} steps need as many payloads`,
    );
  }
  for (const step of steps) {
    checkText("url", step.action, "action");
    checkText("url", step.compensate, "compensate");
  }
  for (const payload of payloads) checkPayload(payload, "payload");
}

/** Also of the branches that topics make of a msg's steps. */
export function checkCount(name: "steps" | "payloads" | "branches", count: number): void {
  if (count > MOST_STEPS) refuse(`a transaction has at most ${MOST_STEPS} ${name}, found ${count}`);
}

function checkPayload(payload: Uint8Array, name: string): void {
  if (payload.length > PAYLOAD_LIMIT) refuse(`${name} is ${payload.length} bytes; at most ${PAYLOAD_LIMIT} (1 MiB)`);
}
