import type { Query } from "../connection.js";
import { textAt } from "../rows.js";
import { type Candidate, candidate } from "./claim-due.js";

/** Finished rows wait for nothing, but for those that dtm ended: it knows nothing of the column. */
const UNFINISHED = "status IN ('prepared', 'submitted', 'aborting')";

const RESTING = `
  SELECT g.id, g.gid, g.status, g.next_cron_time, g.due_at, g.owner FROM trans_global g FORCE INDEX (trans_global_waiting)
  WHERE g.waiting_on = ? AND g.owner = '' AND g.${UNFINISHED}
  ORDER BY g.status <> 'aborting', g.next_cron_time, g.due_at, g.id LIMIT ?
  FOR UPDATE SKIP LOCKED`;

const WAKE = `
  UPDATE trans_global SET next_cron_time = ?, due_at = ?, update_time = ?, wake = wake + 1, waiting_on = '' WHERE id IN (?)`;

const DESTINATIONS = `
  SELECT waiting_on FROM trans_global FORCE INDEX (trans_global_waiting)
  WHERE waiting_on > '' AND owner = '' AND ${UNFINISHED}
  GROUP BY waiting_on HAVING count(*) >= ?`;

export async function waitingGlobals(db: Query, destination: string, limit: number): Promise<Candidate[]> {
  return (await db.rows(RESTING, [destination, limit])).map((row) => candidate(row, db.zone));
}

/** Returns how many. */
export async function wakeWaiting(db: Query, destination: string, limit: number, at: number): Promise<number> {
  const ids = (await waitingGlobals(db, destination, limit)).map(({ id }) => id);
  if (ids.length === 0) return 0;
  return db.run(WAKE, [db.zone.toText(at), Math.ceil(at), db.zone.toText(at), ids]);
}

export async function waitingDestinations(db: Query, atLeast: number): Promise<string[]> {
  return (await db.rows(DESTINATIONS, [atLeast])).map((row) => textAt(row, 0));
}
