import type { Database } from "../database.js";

/** At the start nobody alive owns anything: what was driven is due now, what rested keeps its time (R3). */
const SQL = `
  UPDATE trans_global SET owner = '', next_cron_time = min(next_cron_time, ?)
  WHERE status IN ('prepared', 'submitted', 'aborting') AND owner <> ''`;

export function leaveBehind(db: Database, now: number): number {
  return db.run(SQL, [now]);
}
