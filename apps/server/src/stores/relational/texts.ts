/**
 * What a text column takes: dtm's widths in characters (protocol.md 5.1), no NUL, no half of a surrogate pair (which would come back as
 * another character). Checked before anything is queued, and named by its column (rules.md R7, R22).
 */
import type { Branch, Loaded } from "../../engine/transaction.js";
import { optionsToJson } from "../options.js";
import { StoreRejected } from "../store.js";

/** What a database takes, in bytes; known once it is open. */
export interface Limits {
  /** Of one branch. */
  readonly payload: number;
  /** Of all that belongs to one operation, as it is written on the way. */
  readonly packet: number;
}

export const NO_LIMITS: Limits = { payload: Number.POSITIVE_INFINITY, packet: Number.POSITIVE_INFINITY };

const UNSTORABLE = /[\0\p{Surrogate}]/u;

export const WIDTHS = {
  gid: 128,
  query_prepared: 1024,
  options: 1024,
  custom_data: 1024,
  result: 1024,
  rollback_reason: 1024,
  owner: 128,
  waiting_on: 4096,
  url: 1024,
  branch_id: 128,
  op: 45,
  cat: 45,
  k: 128,
  v: 65_535,
} as const;

export type Column = keyof typeof WIDTHS;

export function isStorable(column: Column, text: string): boolean {
  return !isTooLong(column, text) && !UNSTORABLE.test(text);
}

export function refuseText(column: Column, text: string, of: string): void {
  if (isTooLong(column, text))
    throw new StoreRejected(`${column} of ${shown(of)} has ${[...text].length} characters, its column takes ${WIDTHS[column]}`);
  if (UNSTORABLE.test(text))
    throw new StoreRejected(`${column} of ${shown(of)} has a NUL or half a surrogate pair, which would not come back as it is`);
}

/** For texts that others wrote into an answer: a strange reason must not keep a transaction from turning. */
export function fitted(column: Column, text: string): string {
  const plain = UNSTORABLE.test(text) ? text.replace(/[\0\p{Surrogate}]/gu, "\ufffd") : text;
  return isTooLong(column, plain) ? [...plain].slice(0, WIDTHS[column]).join("") : plain;
}

export function refuseLoaded({ transaction, branches }: Loaded): void {
  const { gid } = transaction;
  refuseText("gid", gid, "a transaction");
  refuseText("query_prepared", transaction.queryPrepared, gid);
  refuseText("options", optionsToJson(transaction.options), gid);
  refuseText("custom_data", transaction.customData, gid);
  refuseText("owner", transaction.owner, gid);
  refuseText("result", transaction.result, gid);
  refuseText("rollback_reason", transaction.rollbackReason, gid);
  refuseText("waiting_on", transaction.waitingOn, gid);
  refuseNumbers(transaction);
  refuseBranches(gid, branches);
}

export function refuseBranches(gid: string, branches: readonly Branch[]): void {
  for (const { branchId, op, url } of branches) {
    refuseText("branch_id", branchId, gid);
    refuseText("op", op, gid);
    refuseText("url", url, gid);
  }
}

export function refusePayloads(gid: string, branches: readonly Branch[], limits: Limits): void {
  let packet = PACKET_REST;
  for (const { branchId, op, url, payload } of branches) {
    if (payload.length > limits.payload)
      throw new StoreRejected(
        `the payload of ${branchId} ${op} of ${shown(gid)} has ${payload.length} bytes, its column bin_data takes ${limits.payload}`,
      );
    packet += ROW_REST + 4 * url.length + 2 * payload.length;
  }
  if (packet > limits.packet)
    throw new StoreRejected(
      `the branches of ${shown(gid)} make ${packet} bytes for the database, which takes ${limits.packet} at once (max_allowed_packet)`,
    );
}

/** Bytes are written as two digits each, a character as four bytes at most; the rest is the row's other columns. */
const ROW_REST = 1_024;
/** The transaction itself, whose texts have a few thousand characters, and the statements around it. */
const PACKET_REST = 65_536;

function refuseNumbers(transaction: Loaded["transaction"]): void {
  const { gid, createTime, updateTime, nextCronTime, nextCronInterval } = transaction;
  for (const value of [createTime, updateTime, nextCronTime, nextCronInterval])
    if (!Number.isFinite(value)) throw new StoreRejected(`a time of ${shown(gid)} is no number: ${value}`);
}

/** The length in UTF-16 units is never below the length in characters, so the usual case costs one comparison. */
function isTooLong(column: Column, text: string): boolean {
  return text.length > WIDTHS[column] && [...text].length > WIDTHS[column];
}

function shown(name: string): string {
  return name.length > 140 ? `${name.slice(0, 140)}…` : name;
}
