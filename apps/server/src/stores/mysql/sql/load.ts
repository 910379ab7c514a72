import type { Loaded } from "../../../engine/transaction.js";
import type { Query } from "../connection.js";
import { BRANCH, GLOBAL, toLoaded } from "../rows.js";

/** A transaction and its branches of one moment: one statement, the global's columns beside each branch. */
const sql = (which: string): string => `
  SELECT ${GLOBAL}, ${BRANCH}
  FROM trans_global g LEFT JOIN trans_branch_op b ON b.gid = g.gid
  WHERE ${which} ORDER BY g.id, b.id`;

/** A column that dtm made may find a gid of another case as well; that one is not asked for. */
export async function loadByGid(db: Query, gids: readonly string[]): Promise<ReadonlyMap<string, Loaded>> {
  const rows = await db.rows(sql("g.gid IN (?)"), [gids]);
  return new Map(toLoaded(rows, db.zone).map((loaded) => [loaded.transaction.gid, loaded]));
}

export async function loadById(db: Query, ids: readonly number[]): Promise<Loaded[]> {
  const loaded = toLoaded(await db.rows(sql("g.id IN (?)"), [ids]), db.zone);
  const byId = new Map(loaded.map((one) => [one.transaction.id, one]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** What a claim holds. */
export async function loadByOwner(db: Query, owner: string): Promise<Loaded[]> {
  const which = "g.owner = ? AND g.status IN ('prepared', 'submitted', 'aborting')";
  const loaded = toLoaded(await db.rows(sql(which), [owner]), db.zone);
  return loaded.filter(({ transaction }) => transaction.owner === owner);
}
