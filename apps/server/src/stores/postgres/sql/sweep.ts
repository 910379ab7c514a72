import type { Query } from "../connection.js";
import type { Tables } from "../tables.js";

/**
 * By creation, for which there is an index: what is older than that and not over yet is little. Several nodes may sweep at once.
 * What dtm wrote is kept (R30): before we came, or while it had the tables back, which shows by a missing time of ours. What ended
 * elsewhere was written here after its end, and counts from then.
 */
const sql = ({ global, branch, adopted }: Tables): string => `
  WITH ended AS (
    SELECT g.id, g.gid FROM ${global} g
    WHERE g.create_time >= to_timestamp($3) AND g.create_time < to_timestamp($1) AND g.status IN ('succeed', 'failed') AND g.due_at IS NOT NULL
      AND g.id > (SELECT last_id FROM ${adopted})
      AND coalesce(g.finish_time, g.rollback_time, g.update_time) < to_timestamp($1) AND g.update_time < to_timestamp($1)
    ORDER BY g.create_time LIMIT $2
    FOR UPDATE OF g SKIP LOCKED
  ), branches AS (DELETE FROM ${branch} WHERE gid IN (SELECT gid FROM ended))
  DELETE FROM ${global} WHERE id IN (SELECT id FROM ended)`;

/** Returns how many transactions went, with their branches. */
export function sweep(
  db: Query,
  { createdFrom, endedBefore, limit }: { readonly createdFrom: number; readonly endedBefore: number; readonly limit: number },
): Promise<number> {
  return db.run(sql(db.tables), [endedBefore / 1000, limit, createdFrom / 1000]);
}
