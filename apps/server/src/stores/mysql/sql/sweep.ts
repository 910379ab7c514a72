import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/**
 * By creation, for which there is an index: what is older than that and not over yet is little. Several nodes may sweep at once.
 * What dtm wrote is kept (R30): before we came, or while it had the tables back, which shows by a missing time of ours. What ended
 * elsewhere was written here after its end, and counts from then.
 */
const ENDED = `
  SELECT g.id, g.gid FROM trans_global g
  WHERE g.create_time >= ? AND g.create_time < ? AND g.status IN ('succeed', 'failed') AND g.due_at IS NOT NULL
    AND g.id > (SELECT last_id FROM dtm_adopted)
    AND coalesce(g.finish_time, g.rollback_time, g.update_time) < ? AND g.update_time < ?
  ORDER BY g.create_time LIMIT ?
  FOR UPDATE SKIP LOCKED`;

const BRANCHES = "DELETE FROM trans_branch_op WHERE gid IN (?)";
const GLOBALS = "DELETE FROM trans_global WHERE id IN (?)";

/** Returns how many transactions went, with their branches. */
export async function sweep(
  db: Query,
  { createdFrom, endedBefore, limit }: { readonly createdFrom: number; readonly endedBefore: number; readonly limit: number },
): Promise<number> {
  const before = db.zone.toText(endedBefore);
  const ended = await db.rows(ENDED, [db.zone.toText(createdFrom), before, before, before, limit]);
  if (ended.length === 0) return 0;
  await db.run(BRANCHES, [ended.map((row) => textAt(row, 1))]);
  return db.run(GLOBALS, [ended.map((row) => numberAt(row, 0))]);
}
