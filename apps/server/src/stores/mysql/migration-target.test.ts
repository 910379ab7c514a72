/** A migration on a server that falls silent at one of its statements: which of them it waits for, and how long. */
import type { Connection } from "mysql2/promise";
import { type Migration, migrate } from "../migrate.js";
import { NoAnswer } from "./connection.js";
import { isMigrating, migrationTarget } from "./migration-target.js";

const MIGRATION: Migration = { version: 1, name: "init", sql: "CREATE TABLE one (id int)" };

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Answers what MariaDB would on an empty database, until it is asked for something that begins like that. */
function silentAt(beginning: string): { readonly connection: Connection; readonly asked: string[] } {
  const asked: string[] = [];
  const query = (sql: string): Promise<unknown> => {
    asked.push(sql.trim());
    if (sql.trim().startsWith(beginning)) return new Promise(() => undefined);
    if (sql.startsWith("SHOW SESSION VARIABLES")) return Promise.resolve([[{ Value: "3.000000" }]]);
    return Promise.resolve([sql.startsWith("SELECT get_lock") ? [{ held: 1 }] : []]);
  };
  return { connection: { query } as unknown as Connection, asked };
}

test.each([
  ["SHOW SESSION VARIABLES", 15],
  ["SET SESSION max_statement_time", 15],
  ["SELECT get_lock", 135],
  ["SELECT version", 15],
  ["SELECT table_name", 15],
  ["SELECT ?? FROM ??", 15],
  ["CREATE TABLE IF NOT EXISTS", 15],
  ["INSERT INTO", 15],
  ["UPDATE dtm_migration", 15],
])("no answer to %s: the migration ends after %i s, and asks for nothing more", async (beginning, seconds) => {
  const { connection, asked } = silentAt(beginning);
  const ended = jest.fn();
  void migrate(migrationTarget(connection, "dtm"), [MIGRATION]).catch(ended);
  await jest.advanceTimersByTimeAsync(seconds * 1_000 - 1);
  expect(ended).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  expect(ended).toHaveBeenCalledWith(new NoAnswer(`the database gave no answer for ${seconds} s`));
  expect(asked.at(-1)?.startsWith(beginning)).toBe(true);
});

test("a migration's own SQL takes as long as it takes", async () => {
  const { connection, asked } = silentAt(MIGRATION.sql);
  const ended = jest.fn();
  void migrate(migrationTarget(connection, "dtm"), [MIGRATION]).finally(ended);
  await jest.advanceTimersByTimeAsync(24 * 3_600_000);
  expect(ended).not.toHaveBeenCalled();
  expect(asked.at(-1)).toBe(MIGRATION.sql);
});

test("what was done is done, though nothing answers when the lock is given back", async () => {
  const ended = jest.fn();
  void migrationTarget(silentAt("SELECT release_lock").connection, "dtm")(async () => "done").then(ended);
  await jest.advanceTimersByTimeAsync(15_000);
  expect(ended).toHaveBeenCalledWith("done");
});

test("no answer to whether somebody migrates", async () => {
  const ended = jest.fn();
  void isMigrating(silentAt("SELECT is_free_lock").connection, "dtm").catch(ended);
  await jest.advanceTimersByTimeAsync(15_000);
  expect(ended).toHaveBeenCalledWith(expect.any(NoAnswer));
});
