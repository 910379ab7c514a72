import type { Query } from "../connection.js";
import { timeAt } from "../rows.js";
import { adoptedUpTo } from "./adopted.js";

const MILLIS = "(extract(epoch FROM create_time) * 1000)::bigint";

/** Where everything is ours, its index begins with the oldest. */
const oldest = (global: string): string => `
  SELECT ${MILLIS} FROM ${global}
  WHERE due_at IS NOT NULL AND create_time IS NOT NULL ORDER BY create_time LIMIT 1`;

/** Behind the millions that dtm may have left; ids that several nodes gave at once are seconds out of order, no more. */
const first = (global: string): string => `
  SELECT min(${MILLIS}) FROM (SELECT create_time FROM ${global} WHERE id > $1 ORDER BY id LIMIT 1000) AS first_of_ours`;

export async function oldestOwn(db: Query): Promise<number | null> {
  const { global } = db.tables;
  const adopted = await adoptedUpTo(db);
  const [row = []] = adopted === 0 ? await db.rows(oldest(global), []) : await db.rows(first(global), [adopted]);
  return timeAt(row, 0);
}
