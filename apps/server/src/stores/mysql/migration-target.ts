import type { Connection, RowDataPacket } from "mysql2/promise";
import {
  MIGRATION_PATIENCE_S,
  type Migration,
  type MigrationSession,
  type MigrationTarget,
  type Schema,
  somebodyMigrates,
} from "../migrate.js";
import { DatabaseUnusable } from "../relational/errors.js";
import { ANSWER_MS, inTime, NoAnswer } from "./connection.js";
import { schemaOf, statementsOf } from "./schema.js";

/** The server itself gives up before. */
const LOCKED_MS = MIGRATION_PATIENCE_S * 1_000 + ANSWER_MS;

/**
 * MySQL ends a transaction at every change of the schema, so a lock of its own keeps others away, and a migration is noted before it
 * begins and again when it is done: one that broke off stops the next start, unless it left nothing.
 */
export function migrationTarget(connection: Connection, database: string): MigrationTarget {
  return async (work) => {
    const lock = lockOf(database);
    await liftTimeLimit(connection);
    const asked = connection.query<RowDataPacket[]>("SELECT get_lock(?, ?) AS held", [lock, MIGRATION_PATIENCE_S]);
    const [[row]] = await inTime(asked, LOCKED_MS);
    if (row?.["held"] !== 1) throw new DatabaseUnusable(somebodyMigrates(database));
    let isSilent = false;
    try {
      return await work(new Session(connection));
    } catch (cause) {
      isSilent = cause instanceof NoAnswer;
      throw cause;
    } finally {
      // A silent server would not answer this either; the lock ends with the connection.
      if (!isSilent) await inTime(connection.query("SELECT release_lock(?)", [lock])).catch(() => undefined);
    }
  };
}

/** An operator's limit for statements, which only MariaDB has for changes: large tables take as long as they take. */
async function liftTimeLimit(connection: Connection): Promise<void> {
  const [rows] = await inTime(
    connection.query<RowDataPacket[]>("SHOW SESSION VARIABLES WHERE variable_name = 'max_statement_time'"),
  );
  if (rows.length > 0) await inTime(connection.query("SET SESSION max_statement_time = 0"));
}

/** Somebody holds the lock: what is begun and not done is under way. */
export async function isMigrating(connection: Connection, database: string): Promise<boolean> {
  const [[row]] = await inTime(connection.query<RowDataPacket[]>("SELECT is_free_lock(?) AS free", [lockOf(database)]));
  return row?.["free"] === 0;
}

function lockOf(database: string): string {
  return `dtm-migration:${database}`.slice(0, 64);
}

class Session implements MigrationSession {
  constructor(private readonly connection: Connection) {}

  async prepare(): Promise<void> {
    await this.#quick(`
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
    const { version, name } = migration;
    await this.#quick(
      // Noted before where it broke off and left nothing.
      `INSERT INTO dtm_migration (version, name, checksum, begun_at) VALUES (?, ?, ?, utc_timestamp())
       ON DUPLICATE KEY UPDATE begun_at = VALUES(begun_at)`,
      [version, name, checksum],
    );
    // Without a limit: large tables take as long as they take.
    for (const statement of statementsOf(migration)) await this.connection.query(statement);
    await this.#quick("UPDATE dtm_migration SET applied_at = utc_timestamp() WHERE version = ?", [version]);
  }

  async #quick(sql: string, values?: unknown[]): Promise<void> {
    await inTime(this.connection.query(sql, values));
  }
}
