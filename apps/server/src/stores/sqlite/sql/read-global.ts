import type { Database, StoredRow } from "../database.js";
import { GLOBAL_COLUMNS } from "../rows.js";

const COLUMNS = `id, ${GLOBAL_COLUMNS.join(", ")}`;

const BY_GID = `SELECT ${COLUMNS} FROM trans_global WHERE gid = ?`;
const BY_ID = `SELECT ${COLUMNS} FROM trans_global WHERE id = ?`;

export function globalByGid(db: Database, gid: string): StoredRow | undefined {
  return db.get(BY_GID, [gid]);
}

export function globalById(db: Database, id: number): StoredRow | undefined {
  return db.get(BY_ID, [id]);
}

/** Without an index of its own: it is only asked when the outcome of a claim is unknown, and looks at unfinished rows only. */
const BY_OWNER = `
  SELECT ${COLUMNS} FROM trans_global
  WHERE owner = ? AND status IN ('prepared', 'submitted', 'aborting')
  ORDER BY id`;

export function globalsByOwner(db: Database, owner: string): StoredRow[] {
  return db.all(BY_OWNER, [owner]);
}
