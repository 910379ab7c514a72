import type { Claim } from "../../store.js";
import type { Query } from "../connection.js";
import { DUE, numberAt, textAt, timeAt } from "../rows.js";
import type { Tables } from "../tables.js";

export interface Candidate {
  readonly id: number;
  readonly gid: string;
  readonly due: number;
}

/**
 * Each status is its own range of the index of resting rows, which neither driven nor finished rows are in; so a claim costs what it
 * finds. `next_cron_time` is `due` rounded up, so the range ends at the second that is coming up.
 */
const resting = ({ global }: Tables, status: string): string => `
  SELECT * FROM (
   SELECT g.id, g.gid, ${status === "aborting" ? 0 : 1} AS urgency, ${DUE} AS due FROM ${global} g
   WHERE g.owner = '' AND g.status = '${status}' AND g.next_cron_time <= to_timestamp(($1::bigint + 999) / 1000) AND ${DUE} <= $1::bigint
   ORDER BY g.next_cron_time, g.due_at, g.id LIMIT $2
   FOR UPDATE OF g SKIP LOCKED) AS ${status}`;

/** Whatever a dead node held, due or not (R3). A node is looked for a day long; what it could leave after that, `adopt` finds. */
const left = ({ global, node }: Tables): string => `
  SELECT * FROM (
   SELECT g.id, g.gid, CASE g.status WHEN 'aborting' THEN 0 ELSE 1 END AS urgency, ${DUE} AS due
   FROM ${node} n JOIN ${global} g ON g.owner COLLATE "C" >= n.epoch || ':' AND g.owner COLLATE "C" < n.epoch || ';'
   WHERE n.dead_at > clock_timestamp() - interval '1 day' AND g.owner <> '' AND g.status IN ('prepared', 'submitted', 'aborting')
   LIMIT $2
   FOR UPDATE OF g SKIP LOCKED) AS left_behind`;

/** Locks more than it takes, so that the order holds over all of them; others pass over those for the moment. */
const sql = (tables: Tables): string => `
  SELECT id, gid, due FROM (
    ${resting(tables, "aborting")} UNION ALL ${resting(tables, "submitted")} UNION ALL ${resting(tables, "prepared")}
    UNION ALL ${left(tables)}
  ) AS candidates
  ORDER BY urgency, due, id`;

const next = ({ global }: Tables, status: string): string => `
  (SELECT ${DUE} AS due FROM ${global} g WHERE g.owner = '' AND g.status = '${status}' ORDER BY g.next_cron_time, g.due_at LIMIT 1)`;

const NEXT = (tables: Tables): string => `
  SELECT min(due) FROM (
    ${next(tables, "aborting")} UNION ALL ${next(tables, "submitted")} UNION ALL ${next(tables, "prepared")}
  ) AS earliest`;

/** Locked, aborting ones first; more than the limit. */
export async function dueGlobals(db: Query, { now, limit }: Claim): Promise<Candidate[]> {
  const rows = await db.rows(sql(db.tables), [Math.floor(now), limit]);
  return rows.map((row) => ({ id: numberAt(row, 0), gid: textAt(row, 1), due: numberAt(row, 2) }));
}

/** The earliest due time of what rests; null when nothing does. */
export async function nextDue(db: Query): Promise<number | null> {
  const [row] = await db.rows(NEXT(db.tables), []);
  return row === undefined ? null : timeAt(row, 0);
}
