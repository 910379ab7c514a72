/** The schema as it is: what is noted as applied, and what is there of what migrations make. */
import type { AppliedMigration, Schema } from "../migrate.js";
import { columnsMadeBy, nameOf, tablesOf } from "../relational/columns.js";
import type { Database } from "./database.js";
import { MIGRATIONS } from "./migrations/index.js";

const NOTES = "schema_migrations";
const HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
const COLUMNS = "SELECT name FROM pragma_table_info(?)";
const APPLIED = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";

export const NO_SCHEMA: Schema = { notes: NOTES, applied: [], columns: new Set() };

export function schemaOf(db: Database): Schema {
  const columns = tablesOf(columnsMadeBy(MIGRATIONS)).flatMap((table) =>
    db.all(COLUMNS, [table]).map(([name]) => nameOf({ table, name: String(name) })),
  );
  return { notes: NOTES, applied: appliedMigrations(db), columns: new Set(columns) };
}

/** None where the table of them is absent. */
function appliedMigrations(db: Database): readonly AppliedMigration[] {
  if (db.get(HAS_TABLE, []) === undefined) return [];
  return db.all(APPLIED, []).map(([version, name, checksum]) => ({
    version: Number(version),
    name: String(name),
    checksum: String(checksum),
    done: true,
  }));
}
