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
