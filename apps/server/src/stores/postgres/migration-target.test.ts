/** A migration on a server that falls silent at one of its statements: which of them it waits for, and how long. */
import type pg from "pg";
import { type Migration, migrate } from "../migrate.js";
import { NoAnswer } from "./connection.js";
import { isMigrating, migrationTarget } from "./migration-target.js";
import { tablesIn } from "./tables.js";

const TABLES = tablesIn("public");
const MIGRATION: Migration = { version: 1, name: "init", sql: "CREATE TABLE one ()" };

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Answers what its server would on an empty database, until it is asked for something that begins like that. */
function silentAt(beginning: string): { readonly client: pg.Client; readonly asked: string[] } {
  const asked: string[] = [];
  const query = (sql: string): Promise<unknown> => {
    asked.push(sql.trim());
    if (sql.trim().startsWith(beginning)) return new Promise(() => undefined);
    const rows = sql.startsWith("SELECT to_regclass") ? [{ there: true }] : [];
    return Promise.resolve({ rows, rowCount: rows.length });
  };
  return { client: { query } as unknown as pg.Client, asked };
}

test.each([
  ["BEGIN", 15],
  ["SET LOCAL statement_timeout", 15],
  ["SET LOCAL lock_timeout = ", 15],
  ["SELECT pg_advisory_xact_lock", 135],
  ["SET LOCAL lock_timeout TO DEFAULT", 15],
  ["SELECT c.relname", 15],
  ["SELECT to_regclass", 15],
  ["SELECT version", 15],
  ["SELECT 1 FROM pg_namespace", 15],
  ["CREATE SCHEMA", 15],
  ["CREATE TABLE IF NOT EXISTS", 15],
  ["INSERT INTO", 15],
  ["COMMIT", 15],
])("no answer to %s: the migration ends after %i s, and asks for nothing more", async (beginning, seconds) => {
  const { client, asked } = silentAt(beginning);
  const ended = jest.fn();
  void migrate(migrationTarget(client, TABLES), [MIGRATION]).catch(ended);
  await jest.advanceTimersByTimeAsync(seconds * 1_000 - 1);
  expect(ended).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  expect(ended).toHaveBeenCalledWith(new NoAnswer(`the database gave no answer for ${seconds} s`));
  expect(asked.at(-1)?.startsWith(beginning)).toBe(true);
});

test("a migration's own SQL takes as long as it takes", async () => {
  const { client, asked } = silentAt(MIGRATION.sql);
  const ended = jest.fn();
  void migrate(migrationTarget(client, TABLES), [MIGRATION]).finally(ended);
  await jest.advanceTimersByTimeAsync(24 * 3_600_000);
  expect(ended).not.toHaveBeenCalled();
  expect(asked.at(-1)).toBe(MIGRATION.sql);
});

test("what failed is what is told, though nothing answers when it is taken back", async () => {
  const { client } = silentAt("ROLLBACK");
  const ended = jest.fn();
  const refusal = new Error("no right to do so");
  void migrationTarget(client, TABLES)(() => Promise.reject(refusal)).catch(ended);
  await jest.advanceTimersByTimeAsync(15_000);
  expect(ended).toHaveBeenCalledWith(refusal);
});

test("no answer to whether somebody migrates", async () => {
  const ended = jest.fn();
  void isMigrating(silentAt("SELECT pg_try").client, TABLES).catch(ended);
  await jest.advanceTimersByTimeAsync(15_000);
  expect(ended).toHaveBeenCalledWith(expect.any(NoAnswer));
});
