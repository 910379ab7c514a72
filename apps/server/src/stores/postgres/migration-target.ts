import type pg from "pg";
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
import { codeOf } from "./errors.js";
import { schemaOf } from "./schema.js";
import type { Tables } from "./tables.js";

const LOCK_NOT_AVAILABLE = "55P03";

/** Waits for whoever migrates; released with the transaction, which a pooler keeps on one connection. The number is "dtm" in letters' codes. */
const LOCK = "SELECT pg_advisory_xact_lock(6583405, $1)";

/** Shared, so that two who only look don't meet; it ends with the statement. */
const LOCK_IS_FREE = "SELECT pg_try_advisory_xact_lock_shared(6583405, $1) AS free";

/** The server itself gives up before. */
const LOCKED_MS = MIGRATION_PATIENCE_S * 1_000 + ANSWER_MS;

/** In place of the migrations' own. */
const BLOCK_QUOTE = "$dtm_migration_block$";

/** Everything in one transaction, schema changes too: an interrupted migration leaves nothing. */
export function migrationTarget(client: pg.Client, tables: Tables): MigrationTarget {
  return async (work) => {
    await inTime(client.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"));
    try {
      // An operator's limit for statements: large tables take as long as they take.
      await inTime(client.query("SET LOCAL statement_timeout = 0"));
      await locked(client, tables);
      const result = await work(new Session(client, tables));
      await inTime(client.query("COMMIT"));
      return result;
    } catch (cause) {
      // A silent server would not answer this either; it rolls back when the connection ends.
      if (!(cause instanceof NoAnswer)) await inTime(client.query("ROLLBACK")).catch(() => undefined);
      throw cause;
    }
  };
}

async function locked(client: pg.Client, { schema }: Tables): Promise<void> {
  await inTime(client.query(`SET LOCAL lock_timeout = '${MIGRATION_PATIENCE_S}s'`));
  try {
    await inTime(client.query(LOCK, [hash(schema)]), LOCKED_MS);
  } catch (cause) {
    if (codeOf(cause) !== LOCK_NOT_AVAILABLE) throw cause;
    throw new DatabaseUnusable(somebodyMigrates(`schema ${schema}`), { cause });
  }
  // An operator's own counts for the rest.
  await inTime(client.query("SET LOCAL lock_timeout TO DEFAULT"));
}

export async function isMigrating(client: pg.Client, tables: Tables): Promise<boolean> {
  const { rows } = await inTime(client.query<{ free: boolean }>(LOCK_IS_FREE, [hash(tables.schema)]));
  return rows[0]?.free === false;
}

class Session implements MigrationSession {
  constructor(
    private readonly client: pg.Client,
    private readonly tables: Tables,
  ) {}

  async prepare(): Promise<void> {
    const { name, schema, migration } = this.tables;
    const { rowCount } = await this.#quick("SELECT 1 FROM pg_namespace WHERE nspname = $1", [name]);
    if (rowCount === 0) await this.#quick(`CREATE SCHEMA ${schema}`);
    await this.#quick(`
      CREATE TABLE IF NOT EXISTS ${migration} (
        version    integer      NOT NULL PRIMARY KEY,
        name       varchar(128) NOT NULL,
        checksum   varchar(64)  NOT NULL,
        applied_at timestamp(0) with time zone NOT NULL
      )`);
  }

  schema(): Promise<Schema> {
    return schemaOf(this.client, this.tables);
  }

  async apply(migration: Migration, checksum: string): Promise<void> {
    // Without a limit: large tables take as long as they take.
    await this.client.query(inSchema(migration.sql, this.tables.schema));
    await this.#quick(
      `INSERT INTO ${this.tables.migration} (version, name, checksum, applied_at) VALUES ($1, $2, $3, clock_timestamp())`,
      [migration.version, migration.name, checksum],
    );
  }

  #quick(sql: string, values?: unknown[]): Promise<pg.QueryResult> {
    return inTime(this.client.query(sql, values));
  }
}

/** A schema's name may have dollars in it, which must neither be read as a pattern nor end a block. */
function inSchema(sql: string, schema: string): string {
  return sql.replaceAll("$$", () => BLOCK_QUOTE).replaceAll("{schema}", () => schema);
}

/** One lock per schema. */
function hash(text: string): number {
  let value = 0;
  for (let place = 0; place < text.length; place++) value = (Math.imul(value, 31) + text.charCodeAt(place)) | 0;
  return value;
}
