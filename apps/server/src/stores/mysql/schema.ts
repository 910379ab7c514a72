/** The schema as it is: what is noted as applied, and what is there of what migrations make. */
import type { Connection, RowDataPacket } from "mysql2/promise";
import type { AppliedMigration, Schema } from "../migrate.js";
import { columnsMadeBy, nameOf, tablesOf } from "../relational/columns.js";
import { errnoOf } from "./errors.js";
import { MIGRATIONS } from "./migrations/index.js";

const NO_SUCH_TABLE = 1146;
const NO_SUCH_COLUMN = 1054;

const COLUMNS = `
  SELECT table_name AS place, column_name AS name
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
  WHERE table_schema = database() AND table_type <> 'VIEW' AND table_name IN (?)`;

export async function schemaOf(connection: Connection): Promise<Schema> {
  return { notes: "dtm_migration", applied: await appliedMigrations(connection), columns: await columnsThere(connection) };
}

async function columnsThere(connection: Connection): Promise<ReadonlySet<string>> {
  const made = columnsMadeBy(MIGRATIONS);
  const [rows] = await connection.query<RowDataPacket[]>(COLUMNS, [tablesOf(made)]);
  const found = new Set(rows.map((row) => nameOf({ table: String(row["place"]), name: String(row["name"]) })));
  const unseen = made.filter((column) => !found.has(nameOf(column)));
  for (const table of tablesOf(unseen))
    await requireAbsent(
      connection,
      table,
      unseen.filter((column) => column.table === table).map(({ name }) => name),
    );
  return found;
}

/** The catalogue hides what the user has no right on; asking for it fails with the server's own words then. */
async function requireAbsent(connection: Connection, table: string, columns: readonly string[]): Promise<void> {
  try {
    await connection.query("SELECT ?? FROM ?? WHERE 1 = 0", [columns, table]);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== NO_SUCH_TABLE && errno !== NO_SUCH_COLUMN) throw cause;
  }
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
