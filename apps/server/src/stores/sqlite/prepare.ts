/** The start on a SQLite file: opened for writing, and its schema brought up to date, or found to be. Whoever calls it holds the folder. */
import { existsSync } from "node:fs";
import { type Migration, migrate, requireCurrent } from "../migrate.js";
import { Database } from "./database.js";
import { codeOf, DatabaseUnusable, messageOf } from "./errors.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { NO_SCHEMA, schemaOf } from "./schema.js";
import { leaveBehind } from "./sql/leave-behind.js";
import type { WorkerStart } from "./wire.js";

export interface Prepared {
  readonly db: Database;
  /** What was missing. */
  readonly migrated: readonly Migration[];
}

/** For another program that looks into the file, like a backup. */
const BUSY_MS = 5_000;

export async function prepareDatabase({ file, first, now, autoMigrate }: WorkerStart): Promise<Prepared> {
  // Opening would make the file.
  if (!autoMigrate && !existsSync(file)) requireCurrent(NO_SCHEMA, MIGRATIONS);
  return opened(file, async (db) => {
    const mode = db.pragma("journal_mode = WAL");
    if (mode !== "wal") throw new DatabaseUnusable(`${file} can't keep a write-ahead log (journal mode ${String(mode)})`);
    db.exec(
      "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864",
    );
    const migrated = autoMigrate ? await migrate(migrationTarget(db, now), MIGRATIONS) : [];
    if (!autoMigrate) requireCurrent(schemaOf(db), MIGRATIONS);
    if (first) leaveBehind(db, now);
    return { db, migrated };
  });
}

/** The file's connection is `work`'s from then on; one that fails is closed, and told in one line. */
export async function opened<T>(file: string, work: (db: Database) => T | Promise<T>): Promise<T> {
  let db: Database | null = null;
  try {
    db = new Database(file, { busyMs: BUSY_MS });
    return await work(db);
  } catch (cause) {
    db?.close();
    const code = codeOf(cause);
    if (code === null && cause instanceof Error && cause.name !== "Error") throw cause;
    throw new DatabaseUnusable(`${file} can't be opened: ${code === null ? "" : `${code}: `}${messageOf(cause)}`, { cause });
  }
}
