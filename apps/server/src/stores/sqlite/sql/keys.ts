import type { KeyValue } from "../../store.js";
import type { Database } from "../database.js";

const CREATE = `
  INSERT INTO kv (cat, k, v, version, create_time, update_time) VALUES (?1, ?2, ?3, 1, ?4, ?4)
  ON CONFLICT (cat, k) DO NOTHING`;
const UPDATE = "UPDATE kv SET v = ?3, version = version + 1, update_time = ?4 WHERE cat = ?1 AND k = ?2 AND version = ?5";
const DELETE = "DELETE FROM kv WHERE cat = ? AND k = ?";

export function createKey(db: Database, entry: { cat: string; key: string; value: string; at: number }): boolean {
  return db.run(CREATE, [entry.cat, entry.key, entry.value, entry.at]) === 1;
}

/** Only from the version that the caller read. */
export function updateKey(
  db: Database,
  entry: { cat: string; key: string; value: string; version: number; at: number },
): boolean {
  return db.run(UPDATE, [entry.cat, entry.key, entry.value, entry.at, entry.version]) === 1;
}

export function deleteKey(db: Database, cat: string, key: string): boolean {
  return db.run(DELETE, [cat, key]) === 1;
}

/** Asked for again and again by the topics' refresh, so not worth loading Prisma (some 80 MB) for. Empty filters match everything. */
const FIND = `
  SELECT id, cat, k, v, version, create_time, update_time FROM kv
  WHERE (?1 = '' OR cat = ?1) AND (?2 = '' OR k = ?2) ORDER BY id`;

export function findKeys(db: Database, filter: { readonly cat: string; readonly key: string }): KeyValue[] {
  return db.all(FIND, [filter.cat, filter.key]).map(([id, cat, key, value, version, createTime, updateTime]) => ({
    id: Number(id),
    cat: String(cat),
    key: String(key),
    value: String(value),
    version: Number(version),
    createTime: Number(createTime),
    updateTime: Number(updateTime),
  }));
}
