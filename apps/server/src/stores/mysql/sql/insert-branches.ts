import type { Branch } from "../../../engine/transaction.js";
import { isOpen } from "../../relational/fresh.js";
import type { Cell, Query, Request } from "../connection.js";
import type { Zone } from "../zone.js";

const OPEN = "gid, branch_id, op, url, bin_data, status, create_time, update_time";

/** In the given order, so that ids tell it. */
const INSERT_OPEN = `INSERT INTO trans_branch_op (${OPEN}) VALUES ?`;
const INSERT = `INSERT INTO trans_branch_op (${OPEN}, finish_time, rollback_time) VALUES ?`;

export function insertBranches(db: Query, rows: readonly Branch[]): void {
  const { sql, values } = branchesInsert(rows, db.zone);
  db.later(sql, values);
}

export function branchesInsert(rows: readonly Branch[], zone: Zone): Request {
  if (rows.every(isOpen)) return { sql: INSERT_OPEN, values: [rows.map((row) => open(row, zone))] };
  const times = (row: Branch): Cell[] => [zone.toTextOrNull(row.finishTime), zone.toTextOrNull(row.rollbackTime)];
  return { sql: INSERT, values: [rows.map((row) => [...open(row, zone), ...times(row)])] };
}

function open(row: Branch, zone: Zone): Cell[] {
  return [
    row.gid,
    row.branchId,
    row.op,
    row.url,
    Buffer.from(row.payload.buffer, row.payload.byteOffset, row.payload.byteLength),
    row.status,
    zone.toText(row.createTime),
    zone.toText(row.updateTime),
  ];
}
