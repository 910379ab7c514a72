import type { Loaded } from "../../../engine/transaction.js";
import { numbers, texts } from "../arrays.js";
import type { Query, Request, Row } from "../connection.js";
import { BRANCH, GLOBAL, toLoaded } from "../rows.js";
import type { Tables } from "../tables.js";

/** A transaction and its branches of one moment: one statement, the global's columns beside each branch. */
const joined = ({ global, branch }: Tables, which: string): string => `
  SELECT ${GLOBAL}, ${BRANCH}
  FROM ${global} g LEFT JOIN ${branch} b ON b.gid = g.gid
  WHERE ${which} ORDER BY g.id, b.id`;

export async function loadByGid(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Loaded>> {
  const { sql, values } = byGid(db.tables, gids);
  return toLoadedByGid(await db.rows(sql, values));
}

export function byGid(tables: Tables, gids: readonly string[]): Request {
  return { sql: joined(tables, "g.gid = ANY ($1::text[])"), values: [texts(gids)] };
}

export function toLoadedByGid(rows: readonly Row[]): ReadonlyMap<string, Loaded> {
  return new Map(toLoaded(rows).map((loaded) => [loaded.transaction.gid, loaded]));
}

export async function loadById(db: Query, ids: readonly number[]): Promise<Loaded[]> {
  const loaded = toLoaded(await db.rows(joined(db.tables, "g.id = ANY ($1::bigint[])"), [numbers(ids)]));
  const byId = new Map(loaded.map((one) => [one.transaction.id, one]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** What a claim holds; the index of owned rows holds nothing else. */
export async function loadByOwner(db: Query, owner: string): Promise<Loaded[]> {
  const which = `g.owner COLLATE "C" = $1 AND g.owner <> '' AND g.status IN ('prepared', 'submitted', 'aborting')`;
  return toLoaded(await db.rows(joined(db.tables, which), [owner]));
}
