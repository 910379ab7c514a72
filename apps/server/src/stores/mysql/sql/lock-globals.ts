import type { Transaction } from "../../../engine/transaction.js";
import type { Query } from "../connection.js";
import { GLOBAL, toTransaction } from "../rows.js";

/** Every node locks in order of gid, so that two batches don't wait for each other (R7). */
const SQL = `SELECT ${GLOBAL} FROM trans_global g WHERE g.gid IN (?) ORDER BY g.gid FOR UPDATE`;

/** A column that dtm made may find a gid of another case as well; that one is not asked for. */
export async function lockGlobals(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Transaction>> {
  const rows = await db.rows(SQL, [gids]);
  return new Map(rows.map((row) => toTransaction(row, db.zone)).map((transaction) => [transaction.gid, transaction]));
}
