import type pg from "pg";
import type { AppliedMigration, Migration, MigrationSession, MigrationTarget } from "../migrate.js";
import type { Tables } from "./tables.js";

/** Waits for whoever migrates; released with the transaction, which a pooler keeps on one connection. The number is "dtm" in letters' codes. */
const LOCK = "SELECT pg_advisory_xact_lock(6583405, $1)";

/** Everything in one transaction, schema changes too: an interrupted migration leaves nothing. */
export function migrationTarget(client: pg.Client, tables: Tables): MigrationTarget {
  return async (work) => {
    await client.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    try {
      await client.query(LOCK, [hash(tables.schema)]);
      const result = await work(new Session(client, tables));
      await client.query("COMMIT");
      return result;
    } catch (cause) {
      await client.query("ROLLBACK").catch(() => undefined);
      throw cause;
    }
  };
}

class Session implements MigrationSession {
  constructor(
    private readonly client: pg.Client,
    private readonly tables: Tables,
  ) {}

  async prepare(): Promise<void> {
    const { schema, migration } = this.tables;
    const { rowCount } = await this.client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema.slice(1, -1)]);
    if (rowCount === 0) await this.client.query(`CREATE SCHEMA ${schema}`);
    await this.client.query(`
      CREATE TABLE IF NOT EXISTS ${migration} (
        version    integer      NOT NULL PRIMARY KEY,
        name       varchar(128) NOT NULL,
        checksum   varchar(64)  NOT NULL,
        applied_at timestamp(0) with time zone NOT NULL
      )`);
  }

  async applied(): Promise<readonly AppliedMigration[]> {
    const { rows } = await this.client.query<AppliedMigration>(
      `SELECT version, name, checksum FROM ${this.tables.migration} ORDER BY version`,
    );
    return rows;
  }

  async apply(migration: Migration, checksum: string): Promise<void> {
    await this.client.query(migration.sql.replaceAll("{schema}", this.tables.schema));
    await this.client.query(
      `INSERT INTO ${this.tables.migration} (version, name, checksum, applied_at) VALUES ($1, $2, $3, clock_timestamp())`,
      [migration.version, migration.name, checksum],
    );
  }
}

/** One lock per schema. */
function hash(text: string): number {
  let value = 0;
  for (let place = 0; place < text.length; place++) value = (Math.imul(value, 31) + text.charCodeAt(place)) | 0;
  return value;
}
