import type { Migration, MigrationSession, MigrationTarget, Schema } from "../migrate.js";
import type { Database } from "./database.js";
import { schemaOf } from "./schema.js";

const TABLE = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER  NOT NULL PRIMARY KEY,
    name       TEXT     NOT NULL,
    checksum   TEXT     NOT NULL,
    applied_at DATETIME NOT NULL
  )`;
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

class Session implements MigrationSession {
  constructor(
    private readonly db: Database,
    private readonly now: number,
  ) {}

  async prepare(): Promise<void> {
    this.db.exec(TABLE);
  }

  async schema(): Promise<Schema> {
    return schemaOf(this.db);
  }

  async apply(migration: Migration, checksum: string): Promise<void> {
    this.db.exec(migration.sql);
    this.db.run(NOTE, [migration.version, migration.name, checksum, this.now]);
  }
}
