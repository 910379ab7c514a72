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
import type { Zone } from "./zone.js";

export const GLOBAL = `
  g.id, g.gid, g.trans_type, g.status, g.query_prepared, g.protocol, g.create_time, g.update_time, g.finish_time, g.rollback_time,
  g.options, g.custom_data, g.next_cron_interval, g.next_cron_time, g.due_at, g.owner, g.result, g.rollback_reason, g.submit_time,
  g.attempts, g.refusals, g.wake, g.waiting_on`;
const GLOBAL_WIDTH = 23;

export const BRANCH = `
  b.id, b.gid, b.branch_id, b.op, b.url, b.bin_data, b.status, b.create_time, b.update_time, b.finish_time, b.rollback_time`;

export const KEY = "id, cat, k, v, version, create_time, update_time";

/** Ours counts while dtm's agrees with it: dtm moves only its own. */
export function dueOf(zone: Zone, nextCronTime: string, dueAt: number | null): Millis {
  if (dueAt !== null && zone.toText(dueAt) === nextCronTime) return dueAt;
  return zone.fromText(nextCronTime) ?? 0;
}

export function toTransaction(row: Row, zone: Zone): Transaction {
  const time = (place: number): Millis | null => zone.fromText(textAt(row, place));
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    type: textAt(row, 2) as TransactionType,
    status: textAt(row, 3) as GlobalStatus,
    queryPrepared: textAt(row, 4),
    protocol: textAt(row, 5) as Protocol,
    createTime: time(6) ?? 0,
    updateTime: time(7) ?? 0,
    finishTime: time(8),
    rollbackTime: time(9),
    options: optionsFromJson(textAt(row, 10)),
    customData: textAt(row, 11),
    nextCronInterval: numberAt(row, 12),
    nextCronTime: dueOf(zone, textAt(row, 13), numberOrNull(row, 14)),
    owner: textAt(row, 15),
    result: textAt(row, 16),
    rollbackReason: textAt(row, 17),
    submitTime: numberOrNull(row, 18),
    attempts: numberAt(row, 19),
    refusals: numberAt(row, 20),
    wake: numberAt(row, 21),
    waitingOn: textAt(row, 22),
  };
}

/**
 * Of rows of a global beside each of its branches, in any order; without branches there is one row with none. They are sorted here: MariaDB
 * would make a file for it, since payloads are among the columns.
 */
export function toLoaded(rows: readonly Row[], zone: Zone): Loaded[] {
  const loaded = new Map<number, { readonly transaction: Transaction; readonly branches: Branch[] }>();
  for (const row of rows) {
    const id = numberAt(row, 0);
    const one = loaded.get(id) ?? { transaction: toTransaction(row, zone), branches: [] };
    loaded.set(id, one);
    if (numberOrNull(row, GLOBAL_WIDTH) !== null) one.branches.push(toBranch(row.slice(GLOBAL_WIDTH), zone));
  }
  for (const { branches } of loaded.values()) branches.sort((a, b) => a.id - b.id);
  return [...loaded.values()].sort((a, b) => a.transaction.id - b.transaction.id);
}

function toBranch(row: Row, zone: Zone): Branch {
  const payload = row[5];
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    branchId: textAt(row, 2),
    op: textAt(row, 3),
    url: textAt(row, 4),
    payload: payload instanceof Uint8Array ? payload : new Uint8Array(0),
    status: textAt(row, 6) as BranchStatus,
    createTime: zone.fromText(textAt(row, 7)) ?? 0,
    updateTime: zone.fromText(textAt(row, 8)) ?? 0,
    finishTime: zone.fromText(textAt(row, 9)),
    rollbackTime: zone.fromText(textAt(row, 10)),
  };
}

export function toKeyValue(row: Row, zone: Zone): KeyValue {
  return {
    id: numberAt(row, 0),
    cat: textAt(row, 1),
    key: textAt(row, 2),
    value: textAt(row, 3),
    version: numberAt(row, 4),
    createTime: zone.fromText(textAt(row, 5)) ?? 0,
    updateTime: zone.fromText(textAt(row, 6)) ?? 0,
  };
}

export function textAt(row: Row, place: number): string {
  const value = row[place];
  return typeof value === "string" ? value : "";
}

export function numberAt(row: Row, place: number): number {
  return numberOrNull(row, place) ?? 0;
}

export function numberOrNull(row: Row, place: number): number | null {
  const value = row[place];
  return typeof value === "number" ? value : null;
}
