import type { Database } from "../database.js";

/** A finished one only has its times touched (protocol.md 4.13). */
const SQL = `
  UPDATE trans_global SET
    next_cron_time = ?1,
    update_time = ?1,
    wake = CASE WHEN status IN ('prepared', 'submitted', 'aborting') THEN wake + 1 ELSE wake END,
    waiting_on = ''
  WHERE gid = ?2`;

/** False when the gid is unknown. */
export function nudge(db: Database, gid: string, at: number): boolean {
  return db.run(SQL, [at, gid]) === 1;
}
