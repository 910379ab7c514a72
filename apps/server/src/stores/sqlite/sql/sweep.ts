import type { Database } from "../database.js";

/**
 * By creation, for which there is an index: what is older than that and not over yet is little. What ended elsewhere was written here
 * after its end, and counts from then.
 */
const ENDED = `
  SELECT gid FROM trans_global
  WHERE create_time < ?1 AND status IN ('succeed', 'failed')
    AND coalesce(finish_time, rollback_time, update_time) < ?1 AND update_time < ?1
  ORDER BY create_time LIMIT ?2`;

const BRANCHES = "DELETE FROM trans_branch_op WHERE gid IN (SELECT value FROM json_each(?1))";
const GLOBALS = "DELETE FROM trans_global WHERE gid IN (SELECT value FROM json_each(?1))";

export function sweep(db: Database, endedBefore: number, limit: number): number {
  const gids = db.all(ENDED, [endedBefore, limit]).map(([gid]) => gid);
  if (gids.length === 0) return 0;
  const list = JSON.stringify(gids);
  db.run(BRANCHES, [list]);
  return db.run(GLOBALS, [list]);
}
