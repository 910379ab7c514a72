/** dtm's columns and ours (protocol.md 5.1) to the domain's types; times are milliseconds here and whole seconds there, rounded up (R19). */
import type {
  Branch,
  BranchStatus,
  GlobalStatus,
  Loaded,
  Millis,
  Protocol,
  Transaction,
  TransactionType,
} from "../../engine/transaction.js";
import { optionsFromJson } from "../options.js";
import type { KeyValue } from "../store.js";
import type { Row } from "./connection.js";

const millis = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`;

/** Ours counts while dtm's agrees with it: dtm moves only its own. */
export const DUE = `
  CASE WHEN g.next_cron_time = to_timestamp((g.due_at + 999) / 1000) THEN g.due_at ELSE ${millis("g.next_cron_time")} END`;

export const GLOBAL = `
  g.id, g.gid, g.trans_type, g.status, g.query_prepared, g.protocol, ${millis("g.create_time")}, ${millis("g.update_time")},
  ${millis("g.finish_time")}, ${millis("g.rollback_time")}, g.options, g.custom_data, g.next_cron_interval, ${DUE},
  g.owner, g.result, g.rollback_reason, g.submit_time, g.attempts, g.refusals, g.wake, g.waiting_on`;
const GLOBAL_WIDTH = 22;

export const BRANCH = `
  b.id, b.gid, b.branch_id, b.op, b.url, b.bin_data, b.status, ${millis("b.create_time")}, ${millis("b.update_time")},
  ${millis("b.finish_time")}, ${millis("b.rollback_time")}`;

export const KEY = `id, cat, k, v, version, ${millis("create_time")}, ${millis("update_time")}`;

/** Whole seconds, rounded up. */
export function seconds(at: Millis): number {
  return Math.ceil(at / 1000);
}

export function secondsOrNull(at: Millis | null): number | null {
  return at === null ? null : seconds(at);
}

export function toTransaction(row: Row): Transaction {
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    type: textAt(row, 2) as TransactionType,
    status: textAt(row, 3) as GlobalStatus,
    queryPrepared: textAt(row, 4),
    protocol: textAt(row, 5) as Protocol,
    createTime: numberAt(row, 6),
    updateTime: numberAt(row, 7),
    finishTime: timeAt(row, 8),
    rollbackTime: timeAt(row, 9),
    options: optionsFromJson(textAt(row, 10)),
    customData: textAt(row, 11),
    nextCronInterval: numberAt(row, 12),
    nextCronTime: numberAt(row, 13),
    owner: textAt(row, 14),
    result: textAt(row, 15),
    rollbackReason: textAt(row, 16),
    submitTime: timeAt(row, 17),
    attempts: numberAt(row, 18),
    refusals: numberAt(row, 19),
    wake: numberAt(row, 20),
    waitingOn: textAt(row, 21),
  };
}

/** Of rows of a global beside each of its branches, in order of branch id; without branches there is one row with none. */
export function toLoaded(rows: readonly Row[]): Loaded[] {
  const loaded: { transaction: Transaction; branches: Branch[] }[] = [];
  for (const row of rows) {
    let last = loaded.at(-1);
    if (last === undefined || last.transaction.id !== numberAt(row, 0)) {
      last = { transaction: toTransaction(row), branches: [] };
      loaded.push(last);
    }
    if (typeof row[GLOBAL_WIDTH] === "number") last.branches.push(toBranch(row.slice(GLOBAL_WIDTH)));
  }
  return loaded;
}

function toBranch(row: Row): Branch {
  const payload = row[5];
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    branchId: textAt(row, 2),
    op: textAt(row, 3),
    url: textAt(row, 4),
    payload: payload instanceof Uint8Array ? payload : new Uint8Array(0),
    status: textAt(row, 6) as BranchStatus,
    createTime: numberAt(row, 7),
    updateTime: numberAt(row, 8),
    finishTime: timeAt(row, 9),
    rollbackTime: timeAt(row, 10),
  };
}

export function toKeyValue(row: Row): KeyValue {
  return {
    id: numberAt(row, 0),
    cat: textAt(row, 1),
    key: textAt(row, 2),
    value: textAt(row, 3),
    version: numberAt(row, 4),
    createTime: numberAt(row, 5),
    updateTime: numberAt(row, 6),
  };
}

export function textAt(row: Row, place: number): string {
  const value = row[place];
  return typeof value === "string" ? value : "";
}

export function numberAt(row: Row, place: number): number {
  return timeAt(row, place) ?? 0;
}

export function timeAt(row: Row, place: number): number | null {
  const value = row[place];
  return typeof value === "number" ? value : null;
}
