/** The schema as it is: what is noted as applied, and what is there of what migrations make. */
import type pg from "pg";
import type { AppliedMigration, Schema } from "../migrate.js";
import { columnsMadeBy, nameOf, tablesOf } from "../relational/columns.js";
import { inTime } from "./connection.js";
import { MIGRATIONS } from "./migrations/index.js";
import type { Tables } from "./tables.js";

const COLUMNS = `
  SELECT c.relname AS place, a.attname AS name FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE n.nspname = $1 AND c.relname = ANY ($2)`;

export async function schemaOf(client: pg.Client, tables: Tables): Promise<Schema> {
  const values = [tables.name, tablesOf(columnsMadeBy(MIGRATIONS))];
  const { rows } = await inTime(client.query<{ readonly place: string; readonly name: string }>(COLUMNS, values));
  const columns = new Set(rows.map(({ place, name }) => nameOf({ table: place, name })));
  return { notes: "dtm_migration", applied: await appliedMigrations(client, tables), columns };
}

/** None where the table of them is absent. */
export async function appliedMigrations(client: pg.Client, { migration }: Tables): Promise<readonly AppliedMigration[]> {
  const { rows: found } = await inTime(
    client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [migration]),
  );
  if (found[0]?.there !== true) return [];
  const { rows } = await inTime(
    client.query<Omit<AppliedMigration, "done">>(`SELECT version, name, checksum FROM ${migration} ORDER BY version`),
  );
  return rows.map((row) => ({ ...row, done: true }));
}
