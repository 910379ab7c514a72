import { numbers } from "../arrays.js";
import type { Query } from "../connection.js";
import { DUE, numberAt } from "../rows.js";

/** Looks one further than it may change, so that "remaining" is exact. */
const LATER = (global: string): string => `
  SELECT g.id FROM ${global} g
  WHERE g.status IN ('prepared', 'submitted', 'aborting') AND g.next_cron_time > to_timestamp($1::bigint / 1000) AND ${DUE} > $1::bigint
  ORDER BY g.id LIMIT $2 FOR UPDATE OF g`;

const RESET = (global: string): string => `
  UPDATE ${global} SET
    next_cron_time = to_timestamp(($2::bigint + 999) / 1000), due_at = $2::bigint, update_time = to_timestamp(($2::bigint + 999) / 1000),
    wake = wake + 1, waiting_on = ''
  WHERE id = ANY ($1::bigint[])`;

export async function resetDue(
  db: Query,
  after: number,
  at: number,
  limit: number,
): Promise<{ count: number; remaining: boolean }> {
  const later = await db.rows(LATER(db.tables.global), [Math.floor(after), limit + 1]);
  if (later.length === 0) return { count: 0, remaining: false };
  const ids = later.slice(0, limit).map((row) => numberAt(row, 0));
  return { count: await db.run(RESET(db.tables.global), [numbers(ids), Math.ceil(at)]), remaining: later.length > limit };
}
