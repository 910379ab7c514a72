import type { Database } from "../database.js";
import type { Word } from "../wire.js";

/** One row, written with every batch that changed something: what tells, after a crash, whether the batch was committed (R7). */
const NOTE = `
  INSERT INTO last_batch (id, token, words) VALUES (1, ?1, ?2)
  ON CONFLICT (id) DO UPDATE SET token = excluded.token, words = excluded.words`;
const RECALL = "SELECT words FROM last_batch WHERE id = 1 AND token = ?";

export type Outcome = { readonly word: Word } | { readonly rejected: string };

export function noteBatch(db: Database, token: string, outcomes: readonly Outcome[]): void {
  db.run(NOTE, [token, JSON.stringify(outcomes)]);
}

/** What each operation of this batch came to; null when it wasn't committed. */
export function recallBatch(db: Database, token: string): readonly Outcome[] | null {
  const words = db.get(RECALL, [token])?.[0];
  return typeof words === "string" ? (JSON.parse(words) as readonly Outcome[]) : null;
}
