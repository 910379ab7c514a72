import type { Query } from "../connection.js";
import { timeAt } from "../rows.js";

/** By creation, for which there is an index; what dtm wrote has no time of ours. */
const sql = (global: string): string => `
  SELECT (extract(epoch FROM g.create_time) * 1000)::bigint FROM ${global} g
  WHERE g.due_at IS NOT NULL AND g.create_time IS NOT NULL ORDER BY g.create_time LIMIT 1`;

export async function oldestOwn(db: Query): Promise<number | null> {
  const [row = []] = await db.rows(sql(db.tables.global), []);
  return timeAt(row, 0);
}
