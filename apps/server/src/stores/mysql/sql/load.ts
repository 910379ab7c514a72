import type { Loaded } from "../../../engine/transaction.js";
import type { Query, Request, Row } from "../connection.js";
import { BRANCH, GLOBAL, toLoaded } from "../rows.js";
import type { Zone } from "../zone.js";

/** A transaction and its branches of one moment: one statement, the global's columns beside each branch. */
const joined = (which: string): string => `
  SELECT ${GLOBAL}, ${BRANCH}
  FROM trans_global g LEFT JOIN trans_branch_op b ON b.gid = g.gid
  WHERE ${which}`;

/** A column that dtm made may find a gid of another case as well; that one is not asked for. */
export async function loadByGid(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Loaded>> {
  const { sql, values } = byGid(gids);
  return toLoadedByGid(await db.rows(sql, values), db.zone);
}

export function byGid(gids: readonly string[]): Request {
  return { sql: joined("g.gid IN (?)"), values: [gids] };
}

export function toLoadedByGid(rows: readonly Row[], zone: Zone): ReadonlyMap<string, Loaded> {
  return new Map(toLoaded(rows, zone).map((loaded) => [loaded.transaction.gid, loaded]));
}

export async function loadById(db: Query, ids: readonly number[]): Promise<Loaded[]> {
  const loaded = toLoaded(await db.rows(joined("g.id IN (?)"), [ids]), db.zone);
  const byId = new Map(loaded.map((one) => [one.transaction.id, one]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** What a claim holds. */
export async function loadByOwner(db: Query, owner: string): Promise<Loaded[]> {
  const which = "g.owner = ? AND g.status IN ('prepared', 'submitted', 'aborting')";
  const loaded = toLoaded(await db.rows(joined(which), [owner]), db.zone);
  return loaded.filter(({ transaction }) => transaction.owner === owner);
}
