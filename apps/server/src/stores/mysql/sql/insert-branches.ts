import type { Branch } from "../../../engine/transaction.js";
import type { Query } from "../connection.js";

/** In the given order, so that ids tell it. */
const SQL = `
  INSERT INTO trans_branch_op (gid, branch_id, op, url, bin_data, status, create_time, update_time, finish_time, rollback_time)
  VALUES ?`;

export function insertBranches(db: Query, rows: readonly Branch[]): void {
  const { zone } = db;
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
  db.later(SQL, [values]);
}
