/** How SQL stores keep a transaction's options: the JSON text that dtm writes into its `options` column (protocol.md 1.11, 5.1). */
import { NO_OPTIONS, type TransactionOptions } from "../engine/transaction.js";

export function optionsToJson(options: TransactionOptions): string {
  if (options === NO_OPTIONS) return PLAIN;
  return toJson(options);
}

function toJson(options: TransactionOptions): string {
  const { waitResult, timeoutToFail, requestTimeout, retryInterval, branchHeaders, concurrent, retryLimit } = options;
  return JSON.stringify({
    wait_result: waitResult || undefined,
    timeout_to_fail: timeoutToFail || undefined,
    request_timeout: requestTimeout || undefined,
    retry_interval: retryInterval || undefined,
    branch_headers: isEmpty(branchHeaders) ? undefined : branchHeaders,
    concurrent,
    retry_limit: retryLimit || undefined,
  });
}

/** Lenient, since dtm or an operator may have written it: what isn't understood counts as not given. */
export function optionsFromJson(text: string): TransactionOptions {
  if (text === "" || text === PLAIN) return NO_OPTIONS;
  const said = parsed(text);
  return {
    waitResult: said["wait_result"] === true,
    timeoutToFail: number(said["timeout_to_fail"]),
    requestTimeout: number(said["request_timeout"]),
    retryInterval: number(said["retry_interval"]),
    retryLimit: number(said["retry_limit"]),
    concurrent: said["concurrent"] === true,
    branchHeaders: headers(said["branch_headers"]),
  };
}

/** What nothing said looks like. */
export const PLAIN = toJson(NO_OPTIONS);

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Without a prototype: the names come from clients (R22). */
function headers(value: unknown): Readonly<Record<string, string>> {
  const kept: Record<string, string> = Object.create(null);
  if (!isRecord(value)) return kept;
  for (const [name, text] of Object.entries(value)) if (typeof text === "string") kept[name] = text;
  return kept;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  for (const _ in record) return false;
  return true;
}
