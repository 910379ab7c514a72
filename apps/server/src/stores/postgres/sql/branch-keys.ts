import type { BranchKey } from "../../relational/statements.js";
import { texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { textAt } from "../rows.js";

const sql = (branch: string): string => `SELECT gid, branch_id, op FROM ${branch} WHERE gid = ANY ($1::text[])`;

/** Whoever adds branches holds its global's lock, so that these are all there are. */
export async function branchKeys(db: Query, gids: readonly string[]): Promise<BranchKey[]> {
  const rows = await db.rows(sql(db.tables.branch), [texts(gids)]);
  return rows.map((row) => ({ gid: textAt(row, 0), branchId: textAt(row, 1), op: textAt(row, 2) }));
}
