import type { Connection, RowDataPacket } from "mysql2/promise";
import type { Migration, MigrationSession, MigrationTarget, Schema } from "../migrate.js";
import { DatabaseUnusable } from "../relational/errors.js";
import { schemaOf } from "./schema.js";

/** How long a start waits for another server that migrates. */
const PATIENCE_SECONDS = 120;

/**
 * MySQL ends a transaction at every change of the schema, so a lock of its own keeps others away, and a migration is noted before it
 * begins and again when it is done: one that broke off stops the next start.
 */
export function migrationTarget(connection: Connection, database: string): MigrationTarget {
  return async (work) => {
    const lock = lockOf(database);
    const [[row]] = await connection.query<RowDataPacket[]>("SELECT get_lock(?, ?) AS held", [lock, PATIENCE_SECONDS]);
    if (row?.["held"] !== 1)
      throw new DatabaseUnusable(`another server migrates ${database} since ${PATIENCE_SECONDS} s: start again when it is done`);
    try {
      return await work(new Session(connection));
    } finally {
      await connection.query("SELECT release_lock(?)", [lock]).catch(() => undefined);
    }
  };
}

/** Somebody holds the lock: what is begun and not done is under way. */
export async function isMigrating(connection: Connection, database: string): Promise<boolean> {
  const [[row]] = await connection.query<RowDataPacket[]>("SELECT is_free_lock(?) AS free", [lockOf(database)]);
  return row?.["free"] === 0;
}

function lockOf(database: string): string {
  return `dtm-migration:${database}`.slice(0, 64);
}

class Session implements MigrationSession {
  constructor(private readonly connection: Connection) {}

  async prepare(): Promise<void> {
    await this.connection.query(`
      CREATE TABLE IF NOT EXISTS dtm_migration (
        version    int          NOT NULL,
        name       varchar(128) NOT NULL,
        checksum   varchar(64)  NOT NULL,
        begun_at   datetime     NOT NULL,
        applied_at datetime     DEFAULT NULL,
        PRIMARY KEY (version)
      ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  }

  schema(): Promise<Schema> {
    return schemaOf(this.connection);
  }

  async apply(migration: Migration, checksum: string): Promise<void> {
    const { version, name, sql } = migration;
    await this.connection.query(
      "INSERT INTO dtm_migration (version, name, checksum, begun_at) VALUES (?, ?, ?, utc_timestamp())",
      [version, name, checksum],
    );
    for (const statement of sql.trim().split(/\n\n+/)) await this.connection.query(statement);
    await this.connection.query("UPDATE dtm_migration SET applied_at = utc_timestamp() WHERE version = ?", [version]);
  }
}
