import type { Branch } from "../../../engine/transaction.js";
import type { Query, Request } from "../connection.js";
import type { Zone } from "../zone.js";

/** In the given order, so that ids tell it. */
const SQL = `
  INSERT INTO trans_branch_op (gid, branch_id, op, url, bin_data, status, create_time, update_time, finish_time, rollback_time)
  VALUES ?`;

export function insertBranches(db: Query, rows: readonly Branch[]): void {
  const { sql, values } = branchesInsert(rows, db.zone);
  db.later(sql, values);
}

export function branchesInsert(rows: readonly Branch[], zone: Zone): Request {
  const values = rows.map((row) => [
    row.gid,
    row.branchId,
    row.op,
    row.url,
    Buffer.from(row.payload.buffer, row.payload.byteOffset, row.payload.byteLength),
    row.status,
    zone.toText(row.createTime),
    zone.toText(row.updateTime),
    zone.toTextOrNull(row.finishTime),
    zone.toTextOrNull(row.rollbackTime),
  ]);
  return { sql: SQL, values: [values] };
}
