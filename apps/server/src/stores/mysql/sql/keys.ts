import type { KeyValue } from "../../store.js";
import type { Query } from "../connection.js";
import { isDuplicate } from "../errors.js";
import { KEY, toKeyValue } from "../rows.js";

const CREATE = "INSERT INTO kv (cat, k, v, version, create_time, update_time) VALUES (?, ?, ?, 1, ?, ?)";
/** In dtm's own table letters of another case are the same, and in ours spaces at the end. */
const EXACTLY = "cat = ? AND k = ? AND BINARY cat = ? AND BINARY k = ?";
const UPDATE = `UPDATE kv SET v = ?, version = version + 1, update_time = ? WHERE ${EXACTLY} AND version = ?`;
const DELETE = `DELETE FROM kv WHERE ${EXACTLY}`;

/** Empty filters match everything. */
const FIND = `SELECT ${KEY} FROM kv WHERE (? = '' OR cat = ?) AND (? = '' OR k = ?) ORDER BY id`;
const SCAN = `SELECT ${KEY} FROM kv WHERE (? = '' OR cat = ?) AND (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?`;

/** A statement that fails leaves nothing, and the transaction goes on. */
export async function createKey(db: Query, entry: { cat: string; key: string; value: string; at: number }): Promise<boolean> {
  const at = db.zone.toText(entry.at);
  // Only what is inserted here may be taken for a key that is stored already.
  await db.settled();
  try {
    return (await db.run(CREATE, [entry.cat, entry.key, entry.value, at, at])) === 1;
  } catch (cause) {
    if (isDuplicate(cause)) return false;
    throw cause;
  }
}

/** Only from the version that the caller read. */
export async function updateKey(
  db: Query,
  entry: { cat: string; key: string; value: string; version: number; at: number },
): Promise<boolean> {
  const { value, cat, key, version } = entry;
  return (await db.run(UPDATE, [value, db.zone.toText(entry.at), cat, key, cat, key, version])) === 1;
}

export async function deleteKey(db: Query, cat: string, key: string): Promise<boolean> {
  return (await db.run(DELETE, [cat, key, cat, key])) === 1;
}

export async function findKeys(db: Query, { cat, key }: { readonly cat: string; readonly key: string }): Promise<KeyValue[]> {
  return (await db.rows(FIND, [cat, cat, key, key])).map((row) => toKeyValue(row, db.zone));
}

export async function keysBefore(db: Query, cat: string, before: number | null, limit: number): Promise<KeyValue[]> {
  return (await db.rows(SCAN, [cat, cat, before, before, limit])).map((row) => toKeyValue(row, db.zone));
}
