import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/** A table that dtm made, and no column of ours in it; a migration may have been begun. */
const ADOPTED = `
  SELECT coalesce(sum(if(column_name = 'id', 1, -1)), 0) FROM information_schema.columns
  WHERE table_schema = database() AND table_name = 'trans_global' AND column_name IN ('id', 'due_at')`;

/** Among the rows made last, which needs no index. */
const NEWEST = "SELECT max(update_time) FROM (SELECT update_time FROM trans_global ORDER BY id DESC LIMIT 1000) AS last_made";

/** Null when there is no row, or the tables are ours. */
export async function newestUpdateOfDtm(db: Query): Promise<number | null> {
  const [table = []] = await db.rows(ADOPTED, []);
  if (numberAt(table, 0) !== 1) return null;
  const [row = []] = await db.rows(NEWEST, []);
  return db.zone.fromText(textAt(row, 0));
}
