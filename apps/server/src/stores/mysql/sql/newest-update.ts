import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/** Is there a table, and has it our column already; a migration may have been begun. */
const MADE = `
  SELECT count(*), coalesce(sum(column_name = 'due_at'), 0) FROM information_schema.columns
  WHERE table_schema = database() AND table_name = 'trans_global' AND column_name IN ('id', 'due_at')`;

/** Among the rows made last, which needs no index. */
const NEWEST = "SELECT max(update_time) FROM (SELECT update_time FROM trans_global ORDER BY id DESC LIMIT 1000) AS last_made";

/** `dtm migrate` made our column, and a first start is still to come; or dtm had the tables back. */
const NEWEST_BESIDE_OURS = `
  SELECT max(update_time) FROM (SELECT update_time, due_at FROM trans_global ORDER BY id DESC LIMIT 1000) AS last_made
  WHERE due_at IS NULL`;

/** Null when there is no row of dtm's among them. */
export async function newestUpdateOfDtm(db: Query): Promise<number | null> {
  const [made = []] = await db.rows(MADE, []);
  if (numberAt(made, 0) === 0) return null;
  const [row = []] = await db.rows(numberAt(made, 1) === 0 ? NEWEST : NEWEST_BESIDE_OURS, []);
  return db.zone.fromText(textAt(row, 0));
}
