import { epochOf } from "../../relational/statements.js";
import type { Claim } from "../../store.js";
import type { Query, Row } from "../connection.js";
import { dueOf, numberAt, numberOrNull, textAt } from "../rows.js";
import { Zone } from "../zone.js";
import { deadEpochs } from "./nodes.js";

export interface Candidate {
  readonly id: number;
  readonly gid: string;
  readonly due: number;
  readonly urgent: boolean;
  readonly owner: string;
}

const COLUMNS = "g.id, g.gid, g.status, g.next_cron_time, g.due_at, g.owner";

const TEXT_OF_DUE = "timestampadd(SECOND, ceil(g.due_at / 1000) + ?, TIMESTAMP '1970-01-01 00:00:00')";

/**
 * Rows at rest of one status, a range of the index of owner, status and time; so a claim costs what it finds. `next_cron_time` is the
 * due time rounded up: in the second that is coming up, ours in milliseconds decides. When clocks are set back an hour comes twice: what
 * is due in the second one reads as due in the first, and ours decides while dtm's is its text by the clocks that are to come; and what was
 * due in the first one reads as yet to come in the second, and ours decides while dtm's is its text by the clocks that were (R19).
 */
const RESTING = `
  SELECT ${COLUMNS} FROM trans_global g FORCE INDEX (trans_global_resting)
  WHERE g.owner = '' AND g.status = ? AND g.next_cron_time <= ?
    AND ((g.next_cron_time <= ? AND (g.next_cron_time <= ? OR g.due_at <= ?)
        AND (g.due_at IS NULL OR g.due_at <= ? OR g.next_cron_time <> ${TEXT_OF_DUE}))
      OR (g.due_at <= ? AND g.next_cron_time = ${TEXT_OF_DUE}))
  ORDER BY g.next_cron_time, g.id LIMIT ?
  FOR UPDATE SKIP LOCKED`;

const NEXT = `
  SELECT ${COLUMNS} FROM trans_global g FORCE INDEX (trans_global_resting)
  WHERE g.owner = '' AND g.status = ? AND g.next_cron_time IS NOT NULL
  ORDER BY g.next_cron_time LIMIT 16`;

const left = (nodes: number): string => `
  SELECT ${COLUMNS} FROM trans_global g FORCE INDEX (trans_global_resting)
  WHERE (${Array(nodes).fill("g.owner LIKE ? ESCAPE '|'").join(" OR ")}) AND g.status IN ('prepared', 'submitted', 'aborting')
  LIMIT ?
  FOR UPDATE SKIP LOCKED`;

/** Longer than clocks are ever set back by. */
const SET_BACK_MS = 3 * 3_600_000;

const STATUSES = ["aborting", "submitted", "prepared"] as const;

/** Locked, aborting ones first; more than the limit, so that the order holds over all of them. Others pass over those for the moment. */
export async function dueGlobals(db: Query, { now, limit }: Claim): Promise<Candidate[]> {
  const { zone } = db;
  const found: Candidate[] = [];
  for (const status of STATUSES) {
    // What has to be undone goes first, so it may fill the claim alone.
    if (found.length >= limit && status === "submitted") break;
    const [at, before] = [Math.floor(now), zone.secondsEast(now - SET_BACK_MS)];
    const latest = before > zone.secondsEast(now) ? new Zone(before / 3_600).toText(now) : zone.toText(now);
    const asNow = [zone.toText(now), zone.toText(now - 999), at, at, zone.secondsEast(now + SET_BACK_MS)];
    const rows = await db.rows(RESTING, [status, latest, ...asNow, at, before, limit]);
    found.push(...rows.map((row) => candidate(row, zone)));
  }
  const dead = await deadEpochs(db, "lately");
  found.push(...(await leftBy(db, dead, limit)));
  return found.sort((a, b) => Number(b.urgent) - Number(a.urgent) || a.due - b.due || a.id - b.id);
}

/** Whatever these held, due or not (R3). */
export async function leftBy(db: Query, epochs: readonly string[], limit: number): Promise<Candidate[]> {
  if (epochs.length === 0) return [];
  const patterns = epochs.map((epoch) => `${epoch.replaceAll(/[|%_]/g, "|$&")}:%`);
  const rows = await db.rows(left(epochs.length), [...patterns, limit]);
  const wanted = new Set(epochs);
  return rows.filter((row) => wanted.has(epochOf(textAt(row, 5)))).map((row) => candidate(row, db.zone));
}

/** The earliest due time of what rests, as far as the first few of each status tell; null when nothing does. */
export async function nextDue(db: Query): Promise<number | null> {
  const dues: number[] = [];
  for (const status of STATUSES) dues.push(...(await db.rows(NEXT, [status])).map((row) => candidate(row, db.zone).due));
  return dues.length === 0 ? null : Math.min(...dues);
}

export function candidate(row: Row, zone: Zone): Candidate {
  return {
    id: numberAt(row, 0),
    gid: textAt(row, 1),
    urgent: textAt(row, 2) === "aborting",
    due: dueOf(zone, textAt(row, 3), numberOrNull(row, 4)),
    owner: textAt(row, 5),
  };
}
