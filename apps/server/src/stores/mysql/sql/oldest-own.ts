import type { Query } from "../connection.js";
import { textAt } from "../rows.js";

/** By creation, for which there is an index; what dtm wrote has no time of ours. */
const SQL = `
  SELECT create_time FROM trans_global
  WHERE due_at IS NOT NULL AND create_time IS NOT NULL ORDER BY create_time LIMIT 1`;

export async function oldestOwn(db: Query): Promise<number | null> {
  const [row = []] = await db.rows(SQL, []);
  return db.zone.fromText(textAt(row, 0));
}
