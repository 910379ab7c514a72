import type { Connection, Query } from "../connection.js";
import { textAt } from "../rows.js";

/** One row per lane, written with every batch that changed something: what tells, after a lost reply, whether it was committed (R7). */
const NOTE = (lane: string): string => `
  INSERT INTO ${lane} (id, token, at) VALUES ($1, $2, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET token = excluded.token, at = excluded.at`;

/**
 * Waits for the transaction that holds the row, so that what it reads is what came of it. A SELECT wouldn't wait for the lane's first batch, whose
 * row it can't see yet; an insert of the same key does.
 */
const LAST = (lane: string): string => `
  INSERT INTO ${lane} AS lane (id, token, at) VALUES ($1, '', clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET at = lane.at RETURNING lane.token`;

const FORGET = (lane: string): string => `DELETE FROM ${lane} WHERE id = $1`;

/** Of processes that ended without a word. */
const FORGET_OLD = (lane: string): string => `DELETE FROM ${lane} WHERE at < clock_timestamp() - interval '7 days'`;

export function noteBatch(db: Connection, lane: string, token: string): () => Promise<void> {
  return db.note(NOTE(db.tables.lane), [lane, token]);
}

export async function lastBatch(db: Query, lane: string): Promise<string | null> {
  const [row] = await db.rows(LAST(db.tables.lane), [lane]);
  return row === undefined ? null : textAt(row, 0);
}

export async function forgetLane(db: Query, lane: string): Promise<void> {
  await db.run(FORGET(db.tables.lane), [lane]);
}

export async function forgetOldLanes(db: Query): Promise<void> {
  await db.run(FORGET_OLD(db.tables.lane), []);
}
