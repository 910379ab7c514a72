import type { BranchKey } from "../../relational/statements.js";
import type { Query } from "../connection.js";
import { textAt } from "../rows.js";

const SQL = "SELECT gid, branch_id, op FROM trans_branch_op WHERE gid IN (?)";

/** Whoever adds branches holds its global's lock, so that these are all there are. */
export async function branchKeys(db: Query, gids: readonly string[]): Promise<BranchKey[]> {
  const rows = await db.rows(SQL, [gids]);
  return rows.map((row) => ({ gid: textAt(row, 0), branchId: textAt(row, 1), op: textAt(row, 2) }));
}
