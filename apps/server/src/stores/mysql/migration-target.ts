import type { Connection, RowDataPacket } from "mysql2/promise";
import type { AppliedMigration, Migration, MigrationSession, MigrationTarget } from "../migrate.js";
import { DatabaseUnusable } from "../relational/errors.js";
import { errnoOf } from "./errors.js";

/** How long a start waits for another server that migrates. */
const PATIENCE_SECONDS = 120;
const NO_SUCH_TABLE = 1146;

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

/** None where the table of them is absent. */
export async function appliedMigrations(connection: Connection): Promise<readonly AppliedMigration[]> {
  try {
    const [rows] = await connection.query<(RowDataPacket & Omit<AppliedMigration, "done"> & { readonly done: number })[]>(
      "SELECT version, name, checksum, applied_at IS NOT NULL AS done FROM dtm_migration ORDER BY version",
    );
    return rows.map(({ version, name, checksum, done }) => ({ version, name, checksum, done: done === 1 }));
  } catch (cause) {
    if (errnoOf(cause) === NO_SUCH_TABLE) return [];
    throw cause;
  }
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

  applied(): Promise<readonly AppliedMigration[]> {
    return appliedMigrations(this.connection);
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
