import type { Query } from "../connection.js";
import { candidate } from "./claim-due.js";

/** `next_cron_time` is the due time rounded up; what is just within its last second is told by ours. */
const LATER = `
  SELECT g.id, g.gid, g.status, g.next_cron_time, g.due_at, g.owner FROM trans_global g
  WHERE g.status IN ('prepared', 'submitted', 'aborting') AND g.next_cron_time > ? AND (g.next_cron_time > ? OR g.due_at > ?)
  ORDER BY g.id LIMIT ? FOR UPDATE`;

const RESET = `
  UPDATE trans_global SET next_cron_time = ?, due_at = ?, update_time = ?, wake = wake + 1, waiting_on = '' WHERE id IN (?)`;

/** Looks one further than it may change, so that "remaining" is exact. */
export async function resetDue(
  db: Query,
  after: number,
  at: number,
  limit: number,
): Promise<{ count: number; remaining: boolean }> {
  const { zone } = db;
  const rows = await db.rows(LATER, [zone.toText(after - 999), zone.toText(after), Math.floor(after), limit + 1]);
  const later = rows.map((row) => candidate(row, zone));
  if (later.length === 0) return { count: 0, remaining: false };
  const ids = later.slice(0, limit).map(({ id }) => id);
  const count = await db.run(RESET, [zone.toText(at), Math.ceil(at), zone.toText(at), ids]);
  return { count, remaining: later.length > limit };
}
