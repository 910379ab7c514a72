import type { Transaction } from "../../../engine/transaction.js";
import { texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { GLOBAL, toTransaction } from "../rows.js";

/** Every node locks in order of gid, so that two batches don't wait for each other (R7). */
const sql = (global: string): string => `
  SELECT ${GLOBAL} FROM ${global} g WHERE g.gid = ANY ($1::text[]) ORDER BY g.gid COLLATE "C" FOR UPDATE`;

export async function lockGlobals(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Transaction>> {
  const rows = await db.rows(sql(db.tables.global), [texts(gids)]);
  return new Map(rows.map(toTransaction).map((transaction) => [transaction.gid, transaction]));
}
