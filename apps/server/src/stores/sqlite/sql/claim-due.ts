import type { Database } from "../database.js";

/**
 * Rows at rest whose time has come, aborting ones first. Each status is its own range of the index of resting rows, which neither
 * driven nor finished rows are in; so a claim costs what it finds.
 */
const resting = (status: string): string => `
  SELECT * FROM (
    SELECT id, gid, next_cron_time, ${status === "aborting" ? 0 : 1} AS urgency FROM trans_global
    WHERE owner = '' AND status = '${status}' AND next_cron_time <= ?1
    ORDER BY next_cron_time, id LIMIT ?2
  )`;

const DUE = `
  SELECT id, gid FROM (${resting("aborting")} UNION ALL ${resting("submitted")} UNION ALL ${resting("prepared")})
  ORDER BY urgency, next_cron_time, id LIMIT ?2`;

const NEXT = `
  SELECT min(at) FROM (
    SELECT min(next_cron_time) AS at FROM trans_global WHERE owner = '' AND status = 'aborting'
    UNION ALL SELECT min(next_cron_time) FROM trans_global WHERE owner = '' AND status = 'submitted'
    UNION ALL SELECT min(next_cron_time) FROM trans_global WHERE owner = '' AND status = 'prepared'
  )`;

export interface Candidate {
  readonly id: number;
  readonly gid: string;
}

export function dueGlobals(db: Database, now: number, limit: number): Candidate[] {
  return db.all(DUE, [now, limit]).map(([id, gid]) => ({ id: Number(id), gid: String(gid) }));
}

/** The earliest due time of what rests; null when nothing does. */
export function nextDue(db: Database): number | null {
  const at = db.get(NEXT, [])?.[0];
  return typeof at === "number" ? at : null;
}
