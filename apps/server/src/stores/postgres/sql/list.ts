import type { Transaction } from "../../../engine/transaction.js";
import type { ListFilter } from "../../store.js";
import type { Bound, Query } from "../connection.js";
import { GLOBAL, toTransaction } from "../rows.js";

/** Newest first, behind `before`; what isn't asked for is no condition, so that the planner sees the ones that are. */
export async function listGlobals(db: Query, filter: ListFilter, before: number | null, limit: number): Promise<Transaction[]> {
  const values: Bound[] = [limit];
  const conditions: string[] = [];
  const also = (condition: (place: string) => string, value: Bound | undefined): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  also((place) => `g.id < ${place}`, before ?? undefined);
  also((place) => `g.status = ${place}`, filter.status);
  also((place) => `g.trans_type = ${place}`, filter.type);
  also((place) => `g.gid LIKE ${place}`, filter.gidPrefix ? `${filter.gidPrefix.replaceAll(/[\\%_]/g, "\\$&")}%` : undefined);
  also((place) => `g.create_time >= to_timestamp(${place})`, secondOf(filter.createdFrom));
  also((place) => `g.create_time <= to_timestamp(${place})`, secondOf(filter.createdTo));
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const rows = await db.rows(`SELECT ${GLOBAL} FROM ${db.tables.global} g ${where} ORDER BY g.id DESC LIMIT $1`, values);
  return rows.map(toTransaction);
}

/** Beyond what PostgreSQL's timestamps hold nothing was created. */
const LATEST_SECOND = 9_000_000_000_000;

function secondOf(at: number | undefined): number | undefined {
  return at === undefined ? undefined : Math.min(LATEST_SECOND, Math.max(0, at / 1000));
}
