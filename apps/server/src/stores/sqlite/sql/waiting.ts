import type { Database } from "../database.js";
import type { Candidate } from "./claim-due.js";

/** Finished rows wait for nothing, so the index of waiting rows holds unfinished ones only. */
const RESTING = `
  SELECT id, gid FROM trans_global
  WHERE waiting_on = ?1 AND waiting_on <> '' AND owner = ''
  ORDER BY (status <> 'aborting'), next_cron_time, id LIMIT ?2`;

const WAKE = `
  UPDATE trans_global SET next_cron_time = ?3, update_time = ?3, wake = wake + 1, waiting_on = ''
  WHERE id IN (SELECT id FROM (${RESTING}))`;

const DESTINATIONS = `
  SELECT waiting_on FROM trans_global
  WHERE waiting_on <> '' AND owner = ''
  GROUP BY waiting_on HAVING count(*) >= ?`;

export function waitingGlobals(db: Database, destination: string, limit: number): Candidate[] {
  return db.all(RESTING, [destination, limit]).map(([id, gid]) => ({ id: Number(id), gid: String(gid) }));
}

/** Returns how many. */
export function wakeWaiting(db: Database, destination: string, limit: number, at: number): number {
  return db.run(WAKE, [destination, limit, at]);
}

export function waitingDestinations(db: Database, atLeast: number): string[] {
  return db.all(DESTINATIONS, [atLeast]).map(([destination]) => String(destination));
}
