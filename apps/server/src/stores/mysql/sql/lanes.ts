import type { Connection, Query } from "../connection.js";
import { textAt } from "../rows.js";

/** One row per lane, written with every batch that changed something: what tells, after a lost reply, whether it was committed (R7). */
const NOTE = `
  INSERT INTO dtm_lane (id, token, at) VALUES (?, ?, utc_timestamp(3))
  ON DUPLICATE KEY UPDATE token = VALUES(token), at = VALUES(at)`;

/** Waits for the transaction that holds the row, so that what it reads is what came of it. */
const LAST = "SELECT token FROM dtm_lane WHERE id = ? FOR UPDATE";

const FORGET = "DELETE FROM dtm_lane WHERE id = ?";

/** Of processes that ended without a word. */
const FORGET_OLD = "DELETE FROM dtm_lane WHERE at < utc_timestamp(3) - INTERVAL 7 DAY";

export function noteBatch(db: Connection, lane: string, token: string): void {
  db.note(NOTE, [lane, token]);
}

export async function lastBatch(db: Query, lane: string): Promise<string | null> {
  const [row] = await db.rows(LAST, [lane]);
  return row === undefined ? null : textAt(row, 0);
}

export async function forgetLane(db: Query, lane: string): Promise<void> {
  await db.run(FORGET, [lane]);
}

export async function forgetOldLanes(db: Query): Promise<void> {
  await db.run(FORGET_OLD, []);
}
