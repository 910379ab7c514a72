import type { Database } from "../database.js";

const LATER = `
  SELECT id FROM trans_global
  WHERE status IN ('prepared', 'submitted', 'aborting') AND next_cron_time > ?1
  ORDER BY id LIMIT ?2`;

const RESET = `
  UPDATE trans_global SET next_cron_time = ?3, update_time = ?3, wake = wake + 1, waiting_on = ''
  WHERE id IN (SELECT id FROM (${LATER}))`;

/** Looks one further than it may change, so that "remaining" is exact. */
export function resetDue(db: Database, after: number, at: number, limit: number): { count: number; remaining: boolean } {
  const found = db.all(LATER, [after, limit + 1]).length;
  if (found === 0) return { count: 0, remaining: false };
  return { count: db.run(RESET, [after, limit, at]), remaining: found > limit };
}
