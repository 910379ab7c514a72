import type { Query } from "../connection.js";
import { DUE, numberAt, textAt } from "../rows.js";
import type { Tables } from "../tables.js";
import type { Candidate } from "./claim-due.js";

/** Finished rows wait for nothing, but for those that dtm ended: it knows nothing of the column. */
const UNFINISHED = "status IN ('prepared', 'submitted', 'aborting')";

const RESTING = ({ global }: Tables): string => `
  SELECT g.id, g.gid, ${DUE} FROM ${global} g
  WHERE left(g.waiting_on, 255) = left($1, 255) AND g.waiting_on = $1 AND g.waiting_on <> '' AND g.owner = '' AND g.${UNFINISHED}
  ORDER BY g.status <> 'aborting', g.next_cron_time, g.due_at, g.id LIMIT $2
  FOR UPDATE OF g SKIP LOCKED`;

const WAKE = (tables: Tables): string => `
  UPDATE ${tables.global} SET
    next_cron_time = to_timestamp(($3::bigint + 999) / 1000), due_at = $3::bigint, update_time = to_timestamp(($3::bigint + 999) / 1000),
    wake = wake + 1, waiting_on = ''
  WHERE id IN (SELECT id FROM (${RESTING(tables)}) AS resting)`;

const DESTINATIONS = ({ global }: Tables): string => `
  SELECT waiting_on FROM ${global}
  WHERE waiting_on <> '' AND owner = '' AND ${UNFINISHED}
  GROUP BY waiting_on HAVING count(*) >= $1`;

export async function waitingGlobals(db: Query, destination: string, limit: number): Promise<Candidate[]> {
  const rows = await db.rows(RESTING(db.tables), [destination, limit]);
  return rows.map((row) => ({ id: numberAt(row, 0), gid: textAt(row, 1), due: numberAt(row, 2) }));
}

/** Returns how many. */
export function wakeWaiting(db: Query, destination: string, limit: number, at: number): Promise<number> {
  return db.run(WAKE(db.tables), [destination, limit, Math.ceil(at)]);
}

export async function waitingDestinations(db: Query, atLeast: number): Promise<string[]> {
  return (await db.rows(DESTINATIONS(db.tables), [atLeast])).map((row) => textAt(row, 0));
}
