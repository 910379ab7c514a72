import type { Database, StoredRow } from "../database.js";
import { BRANCH_COLUMNS } from "../rows.js";

const SQL = `SELECT id, ${BRANCH_COLUMNS.join(", ")} FROM trans_branch_op WHERE gid = ? ORDER BY id`;

export function branchesOf(db: Database, gid: string): StoredRow[] {
  return db.all(SQL, [gid]);
}
