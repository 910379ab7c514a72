import type { Transaction } from "../../../engine/transaction.js";
import type { ListFilter } from "../../store.js";
import type { Bound, Query } from "../connection.js";
import { GLOBAL, toTransaction } from "../rows.js";

/** Beyond what DATETIME holds nothing was created. */
const EARLIEST = 0;
const LATEST = Date.UTC(9998, 0, 1);

/** Newest first, behind `before`; what isn't asked for is no condition, so that the optimizer sees the ones that are. */
export async function listGlobals(db: Query, filter: ListFilter, before: number | null, limit: number): Promise<Transaction[]> {
  const values: Bound[] = [];
  const conditions: string[] = [];
  const also = (condition: string, ...more: Bound[]): void => {
    conditions.push(condition);
    values.push(...more);
  };
  if (before !== null) also("g.id < ?", before);
  if (filter.status !== undefined) also("g.status = ?", filter.status);
  if (filter.type !== undefined) also("g.trans_type = ?", filter.type);
  if (filter.gidPrefix) {
    // LIKE finds it by the index, but as the column's collation compares; the second condition is letter by letter.
    also("g.gid LIKE ? ESCAPE '|'", `${filter.gidPrefix.replaceAll(/[|%_]/g, "|$&")}%`);
    also("cast(g.gid AS binary) LIKE concat(cast(? AS binary), '%') ESCAPE '|'", filter.gidPrefix.replaceAll(/[|%_]/g, "|$&"));
  }
  if (filter.createdFrom !== undefined) also("g.create_time >= ?", db.zone.toText(within(filter.createdFrom)));
  if (filter.createdTo !== undefined)
    also("g.create_time <= ?", db.zone.toText(Math.floor(within(filter.createdTo) / 1000) * 1000));
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const rows = await db.rows(`SELECT ${GLOBAL} FROM trans_global g ${where} ORDER BY g.id DESC LIMIT ?`, [...values, limit]);
  return rows.map((row) => toTransaction(row, db.zone));
}

function within(at: number): number {
  return Math.min(LATEST, Math.max(EARLIEST, at));
}
