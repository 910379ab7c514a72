import type { Query } from "../connection.js";
import { textAt } from "../rows.js";
import { adoptedUpTo } from "./adopted.js";

/** Where everything is ours, its index begins with the oldest. */
const OLDEST = `
  SELECT create_time FROM trans_global
  WHERE due_at IS NOT NULL AND create_time IS NOT NULL ORDER BY create_time LIMIT 1`;

/** Behind the millions that dtm may have left; ids that several nodes gave at once are seconds out of order, no more. */
const FIRST = `
  SELECT min(create_time) FROM (SELECT create_time FROM trans_global WHERE id > ? ORDER BY id LIMIT 1000) AS first_of_ours`;

export async function oldestOwn(db: Query): Promise<number | null> {
  const adopted = await adoptedUpTo(db);
  const [row = []] = adopted === 0 ? await db.rows(OLDEST, []) : await db.rows(FIRST, [adopted]);
  return db.zone.fromText(textAt(row, 0));
}
