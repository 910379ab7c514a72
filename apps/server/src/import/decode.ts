/**
 * What dtm stores of a transaction in Redis (protocol.md 1.11, 5.3), read as ours. Nothing is guessed where a guess could move money: an
 * unfinished transaction whose branches or status have expired (Q26) is not imported, and the reason says so.
 */
import {
  type BranchStatus,
  type GlobalStatus,
  isGlobalStatus,
  isTransactionType,
  PROTOCOLS,
  type Protocol,
  type TransactionType,
} from "@dtm/protocol";
import {
  type Branch,
  isFinal,
  type Loaded,
  type Millis,
  type Transaction,
  type TransactionOptions,
} from "../engine/transaction.js";
import { optionsFromJson } from "../stores/options.js";
import { fitted } from "../stores/relational/texts.js";

/** As it lies in Redis; null for a key that isn't there. */
export interface Stored {
  readonly gid: string;
  readonly global: string | null;
  readonly status: string | null;
  readonly branches: readonly string[];
  /** Its score among the unfinished, Unix seconds: what dtm's cron obeys. */
  readonly dueSeconds: number | null;
}

export type Decoded =
  | { readonly kind: "transaction"; readonly loaded: Loaded }
  | { readonly kind: "unusable"; readonly why: string };

type Fields = Readonly<Record<string, unknown>>;

export function decode(stored: Stored): Decoded {
  try {
    return { kind: "transaction", loaded: loadedFrom(stored) };
  } catch (cause) {
    if (cause instanceof Unusable) return { kind: "unusable", why: cause.message };
    throw cause;
  }
}

class Unusable extends Error {
  override readonly name = "Unusable";
}

function loadedFrom(stored: Stored): Loaded {
  const fields = objectFrom(stored.global ?? "", "it");
  const type = typeFrom(fields);
  const status = statusFrom(stored, fields);
  if (text(fields, "gid") !== stored.gid) throw new Unusable(`its key names another gid than its JSON: ${text(fields, "gid")}`);
  if (stored.gid === "") throw new Unusable("its gid is empty");
  if (stored.status === null && !isFinal(status))
    throw new Unusable("its status has expired in Redis, so nobody knows how far it came: end it by hand");
  const transaction = transactionFrom(stored, fields, { type, status });
  const branches = stored.branches.map((json) => branchFrom(json, transaction));
  if (!isFinal(status)) checkBranches(fields, transaction, branches);
  return { transaction, branches };
}

/** The status key is what dtm compares before each change; the JSON's own is a copy. */
function statusFrom({ status }: Stored, fields: Fields): GlobalStatus {
  const word = status ?? text(fields, "status");
  if (!isGlobalStatus(word)) throw new Unusable(`its status is unknown: ${word || "none"}`);
  return word;
}

function transactionFrom(
  { gid, dueSeconds }: Stored,
  fields: Fields,
  { type, status }: { readonly type: TransactionType; readonly status: GlobalStatus },
): Transaction {
  const [createTime, updateTime] = [time(fields, "create_time"), time(fields, "update_time")];
  const [finishTime, rollbackTime] = [time(fields, "finish_time"), time(fields, "rollback_time")];
  const said = time(fields, "next_cron_time");
  const due = isFinal(status) || dueSeconds === null ? said : dueSeconds * 1000;
  // A finished workflow has lost its create_time (Q5). Never the clock: a repeated import must read the same.
  const begin = createTime ?? finishTime ?? rollbackTime ?? updateTime ?? 0;
  return {
    id: 0,
    gid,
    type,
    status,
    protocol: protocolFrom(fields),
    queryPrepared: text(fields, "query_prepared"),
    options: optionsFrom(fields),
    customData: text(fields, "custom_data"),
    createTime: begin,
    updateTime: updateTime ?? begin,
    // dtm has none; a delay counts from create_time, which is the submit's there (Q5).
    submitTime: null,
    finishTime,
    rollbackTime,
    nextCronInterval: Math.max(0, number(fields, "next_cron_interval")),
    nextCronTime: due ?? updateTime ?? begin,
    owner: "",
    result: text(fields, "result"),
    // Of an answer, so anything at all; no column of dtm's cut it (Q6).
    rollbackReason: fitted("rollback_reason", text(fields, "rollback_reason")),
    attempts: 0,
    refusals: 0,
    wake: 0,
    waitingOn: "",
  };
}

function branchFrom(json: string, { gid, createTime }: Transaction): Branch {
  const fields = objectFrom(json, "a branch of it");
  const begin = time(fields, "create_time") ?? createTime;
  return {
    id: 0,
    gid,
    branchId: text(fields, "branch_id"),
    op: text(fields, "op"),
    url: text(fields, "url"),
    payload: Buffer.from(text(fields, "bin_data"), "base64"),
    status: branchStatusFrom(fields),
    createTime: begin,
    updateTime: time(fields, "update_time") ?? begin,
    finishTime: time(fields, "finish_time"),
    rollbackTime: time(fields, "rollback_time"),
  };
}

/**
 * The list of branches can expire before its transaction (Q26); without them it would count as done. Steps are there only until dtm's
 * first pass, which writes the transaction without them. A tcc or xa that is still prepared may have none yet.
 */
function checkBranches(fields: Fields, { type, status }: Transaction, branches: readonly Branch[]): void {
  const steps = Array.isArray(fields["steps"]) ? fields["steps"].length : 0;
  if (type === "msg" && branches.length === 0 && (steps > 0 || status !== "prepared"))
    throw new Unusable("its branches have expired in Redis, so nobody knows what was delivered: end it by hand");
  if ((type === "tcc" || type === "xa") && branches.length === 0 && status !== "prepared")
    throw new Unusable("its branches have expired in Redis, so nobody knows what is left to end: end it by hand");
  if (type !== "saga") return;
  if (branches.length === 0)
    throw new Unusable("its branches have expired in Redis, so nobody knows what was done: end it by hand");
  const paired = branches.every(({ op, branchId }, place) =>
    place % 2 === 0 ? op === "compensate" : op === "action" && branches[place - 1]?.branchId === branchId,
  );
  if (!paired || branches.length % 2 !== 0 || (steps > 0 && branches.length !== 2 * steps))
    throw new Unusable(
      `its ${branches.length} branches aren't those of a saga${steps > 0 ? ` of ${steps} steps` : ""}: end it by hand`,
    );
}

/** The text is what the client said; beside it dtm's cron leaves its own `wait_result`. */
function optionsFrom(fields: Fields): TransactionOptions {
  const stored = text(fields, "options");
  if (stored !== "") return optionsFromJson(JSON.stringify(objectFrom(stored, "its options")));
  return { ...optionsFromJson(JSON.stringify(fields)), waitResult: false };
}

function typeFrom(fields: Fields): TransactionType {
  const word = text(fields, "trans_type");
  if (!isTransactionType(word)) throw new Unusable(`its type is unknown: ${word || "none"}`);
  return word;
}

function protocolFrom(fields: Fields): Protocol {
  const word = text(fields, "protocol") || "http";
  const known = PROTOCOLS.find((protocol) => protocol === word);
  if (known === undefined) throw new Unusable(`its protocol is unknown: ${word}`);
  return known;
}

function branchStatusFrom(fields: Fields): BranchStatus {
  const word = text(fields, "status");
  if (word === "prepared" || word === "succeed" || word === "failed") return word;
  throw new Unusable(`the status of a branch is unknown: ${word || "none"}`);
}

function objectFrom(json: string, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Unusable(`${what} can't be read as JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Unusable(`${what} can't be read as JSON`);
  return { ...value };
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === "number" ? value : 0;
}

/** Go writes RFC 3339 with up to nine digits behind the second, in its own zone. */
function time(fields: Fields, name: string): Millis | null {
  const value = text(fields, name);
  if (value === "") return null;
  const millis = Date.parse(value.replace(/(\.\d{3})\d+/, "$1"));
  if (Number.isNaN(millis)) throw new Unusable(`its ${name} is no time: ${value}`);
  return millis;
}

/** What tells one state of a transaction from the next, however little of it can be read (look.ts). */
export interface Glance {
  readonly createTime: Millis;
  readonly updateTime: string;
  readonly status: string;
}

export function glance({ global, status }: Pick<Stored, "global" | "status">): Glance {
  try {
    const fields = objectFrom(global ?? "", "it");
    return {
      createTime: time(fields, "create_time") ?? 0,
      updateTime: text(fields, "update_time"),
      status: status ?? text(fields, "status"),
    };
  } catch {
    return { createTime: 0, updateTime: "", status: status ?? "" };
  }
}
