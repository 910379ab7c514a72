import type { Loaded } from "../../../engine/transaction.js";
import { numbers, texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { BRANCH, GLOBAL, toLoaded } from "../rows.js";
import type { Tables } from "../tables.js";

/** A transaction and its branches of one moment: one statement, the global's columns beside each branch. */
const sql = ({ global, branch }: Tables, which: string): string => `
  SELECT ${GLOBAL}, ${BRANCH}
  FROM ${global} g LEFT JOIN ${branch} b ON b.gid = g.gid
  WHERE ${which} ORDER BY g.id, b.id`;

export async function loadByGid(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Loaded>> {
  const rows = await db.rows(sql(db.tables, "g.gid = ANY ($1::text[])"), [texts(gids)]);
  return new Map(toLoaded(rows).map((loaded) => [loaded.transaction.gid, loaded]));
}

export async function loadById(db: Query, ids: readonly number[]): Promise<Loaded[]> {
  const loaded = toLoaded(await db.rows(sql(db.tables, "g.id = ANY ($1::bigint[])"), [numbers(ids)]));
  const byId = new Map(loaded.map((one) => [one.transaction.id, one]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** What a claim holds; the index of owned rows holds nothing else. */
export async function loadByOwner(db: Query, owner: string): Promise<Loaded[]> {
  const which = `g.owner COLLATE "C" = $1 AND g.owner <> '' AND g.status IN ('prepared', 'submitted', 'aborting')`;
  return toLoaded(await db.rows(sql(db.tables, which), [owner]));
}
