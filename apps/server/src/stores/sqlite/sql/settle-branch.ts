import type { BranchResult } from "../../store.js";
import type { Database } from "../database.js";

/** Only where it is still prepared: the first answer stands. */
const SUCCEEDED = `
  UPDATE trans_branch_op SET status = 'succeed', update_time = ?1, finish_time = ?1
  WHERE gid = ?2 AND branch_id = ?3 AND op = ?4 AND status = 'prepared'`;

const FAILED = `
  UPDATE trans_branch_op SET status = 'failed', update_time = ?1, rollback_time = ?1
  WHERE gid = ?2 AND branch_id = ?3 AND op = ?4 AND status = 'prepared'`;

export function settleBranches(db: Database, gid: string, results: readonly BranchResult[]): void {
  for (const { branchId, op, status, at } of results) {
    db.run(status === "succeed" ? SUCCEEDED : FAILED, [at, gid, branchId, op]);
  }
}
