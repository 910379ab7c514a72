/** The schema as it is: what is noted as applied, and what is there of what migrations make. */
import type { Connection, RowDataPacket } from "mysql2/promise";
import { type AppliedMigration, checksumOf, type Migration, type Schema } from "../migrate.js";
import { columnsMadeBy, nameOf, tablesOf } from "../relational/columns.js";
import { inTime } from "./connection.js";
import { errnoOf } from "./errors.js";
import { MIGRATIONS } from "./migrations/index.js";

const NO_SUCH_TABLE = 1146;
const NO_SUCH_COLUMN = 1054;

const COLUMNS = `
  SELECT table_name AS place, column_name AS name
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
  WHERE table_schema = database() AND table_type <> 'VIEW' AND table_name IN (?)`;

/** What broke off before it changed anything counts as not begun. */
export async function schemaOf(connection: Connection): Promise<Schema> {
  const [noted, columns] = [await appliedMigrations(connection), await columnsThere(connection)];
  const changedNothing = ({ checksum, done }: AppliedMigration): boolean =>
    !done && MIGRATIONS.some((migration) => checksumOf(migration) === checksum && leftNothing(migration, columns));
  return { notes: "dtm_migration", applied: noted.filter((one) => !changedNothing(one)), columns };
}

/** Each stands for itself; an empty line is between two. */
export function statementsOf({ sql }: Migration): readonly string[] {
  return sql.trim().split(/\n\n+/);
}

/**
 * Statements come one after the other and each is done whole or not at all, so where the columns of the first one that can't be repeated
 * are absent nothing behind it was done. A statement without columns tells nothing.
 */
function leftNothing(migration: Migration, columns: ReadonlySet<string>): boolean {
  const first = statementsOf(migration).find((statement) => !statement.startsWith("CREATE TABLE IF NOT EXISTS"));
  if (first === undefined || columnsMadeBy([{ ...migration, sql: first }]).length === 0) return false;
  return columnsMadeBy([migration]).every((column) => column.mayBeOfDtm || !columns.has(nameOf(column)));
}

async function columnsThere(connection: Connection): Promise<ReadonlySet<string>> {
  const made = columnsMadeBy(MIGRATIONS);
  const [rows] = await inTime(connection.query<RowDataPacket[]>(COLUMNS, [tablesOf(made)]));
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
    await inTime(connection.query("SELECT ?? FROM ?? WHERE 1 = 0", [columns, table]));
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== NO_SUCH_TABLE && errno !== NO_SUCH_COLUMN) throw cause;
  }
}

/** None where the table of them is absent. */
async function appliedMigrations(connection: Connection): Promise<readonly AppliedMigration[]> {
  try {
    const [rows] = await inTime(
      connection.query<(RowDataPacket & Omit<AppliedMigration, "done"> & { readonly done: number })[]>(
        "SELECT version, name, checksum, applied_at IS NOT NULL AS done FROM dtm_migration ORDER BY version",
      ),
    );
    return rows.map(({ version, name, checksum, done }) => ({ version, name, checksum, done: done === 1 }));
  } catch (cause) {
    if (errnoOf(cause) === NO_SUCH_TABLE) return [];
    throw cause;
  }
}
