/**
 * A transaction with its branches as one hash (README.md has the fields). What is empty or zero isn't stored. A branch is two fields: what
 * never changes of it, written once with its payload, and what became of it, written at most once.
 */
import { isUtf8 } from "node:buffer";
import {
  type Branch,
  type BranchStatus,
  type GlobalStatus,
  type Loaded,
  NO_OPTIONS,
  type Protocol,
  type Transaction,
  type TransactionOptions,
  type TransactionType,
} from "../../engine/transaction.js";
import { type BranchResult, StoreUnavailable } from "../store.js";
import { padded } from "./keys.js";

export type Argument = string | Buffer;

/** Fields and values by turns, as HSET takes them; the id comes first. */
export function rowFields({ transaction, branches }: Loaded, id: number): Argument[] {
  const { protocol, queryPrepared, createTime } = transaction;
  const fields: Argument[] = ["id", padded(id), "type", transaction.type, "status", transaction.status];
  const put = (name: string, value: string | number | null): void => {
    if (value !== "" && value !== 0 && value !== null) fields.push(name, String(value));
  };
  fields.push("created", String(createTime), "updated", String(transaction.updateTime));
  fields.push("interval", String(transaction.nextCronInterval), "due", String(transaction.nextCronTime));
  fields.push("protocol", protocol);
  put("query", queryPrepared);
  put("options", optionsText(transaction.options));
  put("custom", transaction.customData);
  put("submitted", transaction.submitTime);
  put("finished", transaction.finishTime);
  put("undone", transaction.rollbackTime);
  put("owner", transaction.owner);
  put("result", transaction.result);
  put("reason", transaction.rollbackReason);
  put("attempts", transaction.attempts);
  put("refusals", transaction.refusals);
  put("wake", transaction.wake);
  put("waiting", transaction.waitingOn);
  put("branches", branches.length);
  for (const [place, branch] of branches.entries()) {
    fields.push(branchField(branch), behind(`${place + 1} `, branchValue(branch)));
    if (branch.status !== "prepared") fields.push(settledField(branch), settledText(branch));
  }
  return fields;
}

interface BranchName {
  readonly branchId: string;
  readonly op: string;
}

/** The length keeps two names from becoming one. */
function nameOf({ branchId, op }: BranchName): string {
  return `${branchId.length}:${branchId}${op}`;
}

export function branchField(name: BranchName): string {
  return `b:${nameOf(name)}`;
}

export function settledField(name: BranchName): string {
  return `s:${nameOf(name)}`;
}

/** Without its place, which a registered branch is given by the script. */
export function branchValue({ branchId, op, url, createTime, updateTime, payload }: Branch): Argument {
  return behind(`${JSON.stringify([branchId, op, url, createTime, updateTime])}\n`, payload);
}

/** As text wherever that says the same: ioredis sends a text for less than it takes to join a Buffer with others. */
function behind(head: string, rest: string | Uint8Array): Argument {
  if (typeof rest === "string") return head + rest;
  const bytes = Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength);
  return isUtf8(bytes) ? head + bytes.toString("utf8") : Buffer.concat([Buffer.from(head), bytes]);
}

export function settledText({ status, updateTime, finishTime, rollbackTime }: Omit<Branch, "id" | "gid">): string {
  return `${status} ${updateTime} ${finishTime ?? ""} ${rollbackTime ?? ""}`;
}

/** Two arguments per result: the branch's name, and what became of it. */
export function resultArguments(results: readonly BranchResult[]): string[] {
  return results.flatMap((result) => {
    const { status, at } = result;
    return [nameOf(result), status === "succeed" ? `succeed ${at} ${at} ` : `${status} ${at}  ${at}`];
  });
}

/** Numbers and the flags first, so that a script can merge them without reading JSON. */
export function optionsText(options: TransactionOptions): string {
  const { waitResult, timeoutToFail, requestTimeout, retryInterval, retryLimit, concurrent, branchHeaders } = options;
  const headers = JSON.stringify(branchHeaders);
  const text = [+waitResult, timeoutToFail, requestTimeout, retryInterval, retryLimit, +concurrent, headers].join(" ");
  return text === PLAIN ? "" : text;
}

const PLAIN = "0 0 0 0 0 0 {}";

function optionsFrom(text: string): TransactionOptions {
  if (text === "" || text === PLAIN) return NO_OPTIONS;
  const [waitResult, timeoutToFail, requestTimeout, retryInterval, retryLimit, concurrent, ...headers] = text.split(" ");
  return {
    waitResult: waitResult === "1",
    timeoutToFail: Number(timeoutToFail),
    requestTimeout: Number(requestTimeout),
    retryInterval: Number(retryInterval),
    retryLimit: Number(retryLimit),
    concurrent: concurrent === "1",
    branchHeaders: headersFrom(headers.join(" ")),
  };
}

/** Without a prototype: the names come from clients (R22). */
function headersFrom(text: string): Readonly<Record<string, string>> {
  const kept: Record<string, string> = Object.create(null);
  const said: unknown = JSON.parse(text);
  if (typeof said !== "object" || said === null) return kept;
  for (const [name, value] of Object.entries(said)) kept[name] = String(value);
  return kept;
}

/** The fields of a transaction alone, as a listing reads them. */
export const TRANSACTION_FIELDS = [
  "id",
  "type",
  "status",
  "created",
  "updated",
  "interval",
  "due",
  "protocol",
  "query",
  "options",
  "custom",
  "submitted",
  "finished",
  "undone",
  "owner",
  "result",
  "reason",
  "attempts",
  "refusals",
  "wake",
  "waiting",
] as const;

type Read = (name: (typeof TRANSACTION_FIELDS)[number]) => string;

function transactionFrom(gid: string, read: Read): Transaction {
  const time = (text: string): number | null => (text === "" ? null : Number(text));
  return {
    id: Number(read("id")),
    gid,
    // Only this file writes them.
    type: read("type") as TransactionType,
    status: read("status") as GlobalStatus,
    protocol: read("protocol") as Protocol,
    queryPrepared: read("query"),
    options: optionsFrom(read("options")),
    customData: read("custom"),
    createTime: Number(read("created")),
    updateTime: Number(read("updated")),
    submitTime: time(read("submitted")),
    finishTime: time(read("finished")),
    rollbackTime: time(read("undone")),
    nextCronInterval: Number(read("interval")),
    nextCronTime: Number(read("due")),
    owner: read("owner"),
    result: read("result"),
    rollbackReason: read("reason"),
    attempts: Number(read("attempts")),
    refusals: Number(read("refusals")),
    wake: Number(read("wake")),
    waitingOn: read("waiting"),
  };
}

/** From HMGET of TRANSACTION_FIELDS; null when there is no such row. */
export function transactionFromValues(gid: string, values: readonly unknown[]): Transaction | null {
  const texts = new Map(TRANSACTION_FIELDS.map((name, place) => [name, textOf(values[place])]));
  return texts.get("id") === "" ? null : transactionFrom(gid, (name) => texts.get(name) ?? "");
}

/** From HGETALL as it comes: fields and values by turns; null when there is no such row. */
export function loadedFrom(gid: string, flat: unknown): Loaded | null {
  if (!Array.isArray(flat) || flat.length === 0) return null;
  const texts = new Map<string, string>();
  const settled = new Map<string, string>();
  const branches: { readonly name: string; readonly branch: Stored }[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const field = textOf(flat[at]);
    const value: unknown = flat[at + 1];
    if (field.startsWith("b:")) branches.push({ name: field.slice(2), branch: stored(value) });
    else if (field.startsWith("s:")) settled.set(field.slice(2), textOf(value));
    else texts.set(field, textOf(value));
  }
  branches.sort((a, b) => a.branch.place - b.branch.place);
  return {
    transaction: transactionFrom(gid, (name) => texts.get(name) ?? ""),
    branches: branches.map(({ name, branch }) => branchFrom(gid, branch, settled.get(name))),
  };
}

/** Heads are rarely longer: what is read of a branch before its payload. */
const HEAD_BYTES = 512;

interface Stored {
  readonly place: number;
  readonly head: string;
  readonly payload: Buffer;
}

/** Looks into the Buffer once: each look costs as much as parsing what it finds. */
function stored(value: unknown): Stored {
  if (!Buffer.isBuffer(value)) throw new StoreUnavailable("Redis answered with a branch that is none");
  let text = value.toString("latin1", 0, HEAD_BYTES);
  let end = text.indexOf("\n");
  if (end === -1) {
    end = value.indexOf("\n");
    text = value.toString("latin1", 0, end);
  }
  const space = text.indexOf(" ");
  const head = text.slice(space + 1, end);
  return {
    place: Number(text.slice(0, space)),
    head: BEYOND_ASCII.test(head) ? value.toString("utf8", space + 1, end) : head,
    payload: value.subarray(end + 1),
  };
}

const BEYOND_ASCII = /[\u0080-\u00ff]/;

type Head = readonly [branchId: string, op: string, url: string, createTime: number, updateTime: number];

/** A branch's number is its place in its transaction. */
function branchFrom(gid: string, { place, head, payload }: Stored, settled: string | undefined): Branch {
  const [branchId, op, url, createTime, updateTime] = JSON.parse(head) as Head;
  const [status, at, finished, undone] = settled?.split(" ") ?? [];
  const time = (text: string | undefined): number | null => (text === undefined || text === "" ? null : Number(text));
  return {
    id: place,
    gid,
    branchId,
    op,
    url,
    payload,
    // Only this file writes them.
    status: (status ?? "prepared") as BranchStatus,
    createTime,
    updateTime: at === undefined ? updateTime : Number(at),
    finishTime: time(finished),
    rollbackTime: time(undone),
  };
}

export function textOf(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString("utf8");
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}
