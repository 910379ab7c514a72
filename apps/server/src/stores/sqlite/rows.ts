/** dtm's columns and ours (protocol.md 5.1) to the domain's types and back; times are whole milliseconds. */
import type {
  Branch,
  BranchStatus,
  GlobalStatus,
  Loaded,
  Protocol,
  Transaction,
  TransactionType,
} from "../../engine/transaction.js";
import { optionsFromJson, optionsToJson } from "../options.js";
import type { LoadedRows, Row, Value } from "./wire.js";

/** In the order of a global's row; a stored row has its id in front. */
export const GLOBAL_COLUMNS = [
  "gid",
  "trans_type",
  "status",
  "query_prepared",
  "protocol",
  "create_time",
  "update_time",
  "finish_time",
  "rollback_time",
  "options",
  "custom_data",
  "next_cron_interval",
  "next_cron_time",
  "owner",
  "result",
  "rollback_reason",
  "submit_time",
  "attempts",
  "refusals",
  "wake",
  "waiting_on",
] as const;

/** In the order of a branch's row; `bin_data` is its length there. */
export const BRANCH_COLUMNS = [
  "gid",
  "branch_id",
  "op",
  "url",
  "status",
  "create_time",
  "update_time",
  "finish_time",
  "rollback_time",
  "bin_data",
] as const;

export const PAYLOAD_AT = BRANCH_COLUMNS.indexOf("bin_data");

export function toGlobalRow(transaction: Transaction): Row {
  return [
    transaction.gid,
    transaction.type,
    transaction.status,
    transaction.queryPrepared,
    transaction.protocol,
    transaction.createTime,
    transaction.updateTime,
    transaction.finishTime,
    transaction.rollbackTime,
    optionsToJson(transaction.options),
    transaction.customData,
    transaction.nextCronInterval,
    transaction.nextCronTime,
    transaction.owner,
    transaction.result,
    transaction.rollbackReason,
    transaction.submitTime,
    transaction.attempts,
    transaction.refusals,
    transaction.wake,
    transaction.waitingOn,
  ];
}

/** Of a row with its id in front. */
export function fromGlobalRow(row: Row): Transaction {
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

export function toBranchRow(branch: Branch): Row {
  return [
    branch.gid,
    branch.branchId,
    branch.op,
    branch.url,
    branch.status,
    branch.createTime,
    branch.updateTime,
    branch.finishTime,
    branch.rollbackTime,
    branch.payload.length,
  ];
}

export function fromLoadedRows({ global, branches }: LoadedRows, bytes: Uint8Array): Loaded {
  let from = branches.from;
  return {
    transaction: fromGlobalRow(global),
    branches: branches.rows.map((row) => {
      const length = numberAt(row, PAYLOAD_AT + 1);
      // A copy: a view would keep the payloads of everybody in the message alive.
      const payload = bytes.slice(from, from + length);
      from += length;
      return fromBranchRow(row, payload);
    }),
  };
}

function fromBranchRow(row: Row, payload: Uint8Array): Branch {
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    branchId: textAt(row, 2),
    op: textAt(row, 3),
    url: textAt(row, 4),
    payload,
    status: textAt(row, 5) as BranchStatus,
    createTime: numberAt(row, 6),
    updateTime: numberAt(row, 7),
    finishTime: timeAt(row, 8),
    rollbackTime: timeAt(row, 9),
  };
}

export function textAt(row: Row, place: number): string {
  const value = row[place];
  return typeof value === "string" ? value : "";
}

export function numberAt(row: Row, place: number): number {
  const value = row[place];
  return typeof value === "number" ? value : 0;
}

function timeAt(row: Row, place: number): number | null {
  const value: Value | undefined = row[place];
  return typeof value === "number" ? value : null;
}
