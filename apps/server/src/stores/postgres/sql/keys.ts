import type { KeyValue } from "../../store.js";
import type { Query } from "../connection.js";
import { KEY, seconds, toKeyValue } from "../rows.js";

const CREATE = (key: string): string => `
  INSERT INTO ${key} (cat, k, v, version, create_time, update_time) VALUES ($1, $2, $3, 1, to_timestamp($4), to_timestamp($4))
  ON CONFLICT (cat, k) DO NOTHING`;

const UPDATE = (key: string): string => `
  UPDATE ${key} SET v = $3, version = version + 1, update_time = to_timestamp($4) WHERE cat = $1 AND k = $2 AND version = $5`;

const DELETE = (key: string): string => `DELETE FROM ${key} WHERE cat = $1 AND k = $2`;

/** Empty filters match everything. */
const FIND = (key: string): string => `SELECT ${KEY} FROM ${key} WHERE ($1 = '' OR cat = $1) AND ($2 = '' OR k = $2) ORDER BY id`;

const SCAN = (key: string): string => `
  SELECT ${KEY} FROM ${key} WHERE ($1 = '' OR cat = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`;

export async function createKey(db: Query, entry: { cat: string; key: string; value: string; at: number }): Promise<boolean> {
  return (await db.run(CREATE(db.tables.key), [entry.cat, entry.key, entry.value, seconds(entry.at)])) === 1;
}

/** Only from the version that the caller read. */
export async function updateKey(
  db: Query,
  entry: { cat: string; key: string; value: string; version: number; at: number },
): Promise<boolean> {
  return (await db.run(UPDATE(db.tables.key), [entry.cat, entry.key, entry.value, seconds(entry.at), entry.version])) === 1;
}

export async function deleteKey(db: Query, cat: string, key: string): Promise<boolean> {
  return (await db.run(DELETE(db.tables.key), [cat, key])) === 1;
}

export async function findKeys(db: Query, filter: { readonly cat: string; readonly key: string }): Promise<KeyValue[]> {
  return (await db.rows(FIND(db.tables.key), [filter.cat, filter.key])).map(toKeyValue);
}

export async function keysBefore(db: Query, cat: string, before: number | null, limit: number): Promise<KeyValue[]> {
  return (await db.rows(SCAN(db.tables.key), [cat, before, limit])).map(toKeyValue);
}
