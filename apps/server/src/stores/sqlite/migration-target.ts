import type { AppliedMigration, Migration, MigrationSession, MigrationTarget } from "../migrate.js";
import type { Database } from "./database.js";

const TABLE = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER  NOT NULL PRIMARY KEY,
    name       TEXT     NOT NULL,
    checksum   TEXT     NOT NULL,
    applied_at DATETIME NOT NULL
  )`;
const HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
const APPLIED = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
const NOTE = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)";

/** The database's own write lock is the lock. */
export function migrationTarget(db: Database, now: number): MigrationTarget {
  return async (work) => {
    db.exec("BEGIN IMMEDIATE");
    try {
      const result = await work(new Session(db, now));
      db.exec("COMMIT");
      return result;
    } catch (cause) {
      if (db.inTransaction) db.exec("ROLLBACK");
      throw cause;
    }
  };
}

/** None where the table of them is absent. */
export function appliedMigrations(db: Database): readonly AppliedMigration[] {
  if (db.get(HAS_TABLE, []) === undefined) return [];
  return db.all(APPLIED, []).map(([version, name, checksum]) => ({
    version: Number(version),
    name: String(name),
    checksum: String(checksum),
    done: true,
  }));
}

class Session implements MigrationSession {
  constructor(
    private readonly db: Database,
    private readonly now: number,
  ) {}

  async prepare(): Promise<void> {
    this.db.exec(TABLE);
  }

  async applied(): Promise<readonly AppliedMigration[]> {
    return appliedMigrations(this.db);
  }

  async apply(migration: Migration, checksum: string): Promise<void> {
    this.db.exec(migration.sql);
    this.db.run(NOTE, [migration.version, migration.name, checksum, this.now]);
  }
}
