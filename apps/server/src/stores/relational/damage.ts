/**
 * Whether the tables are what the notes of applied migrations say. A table or a column that somebody dropped would otherwise show at the
 * first submit, and notes that were lost as a migration that breaks off.
 */
import type { Migration, Schema } from "../migrate.js";
import { columnsMadeBy, isUsed, type MadeColumn, nameOf, tablesOf } from "./columns.js";

/** One line each. What is noted must be a beginning of what is known. */
export function damageOf(schema: Schema, known: readonly Migration[]): readonly string[] {
  const made = columnsMadeBy(known);
  const noted = new Set(schema.applied.map(({ version }) => version));
  const isNoted = ({ by }: MadeColumn): boolean => noted.has(by.version);
  const isThere = (column: MadeColumn): boolean => schema.columns.has(nameOf(column));
  const surplus = made.filter((column) => !isNoted(column) && !column.mayBeOfDtm && isThere(column));
  if (surplus.length > 0) return [notesLost(schema, surplus)];
  return tablesOf(made).flatMap((table) => {
    const columns = made.filter((column) => column.table === table);
    const missing = columns.filter((column) => isUsed(column) && !isThere(column));
    const gone = missing.filter(isNoted);
    if (!columns.some(isThere)) return gone.length > 0 ? [tableGone(schema, gone)] : [];
    if (gone.length > 0) return [columnsGone(schema, gone)];
    const neverMade = missing.filter(({ mayBeOfDtm }) => mayBeOfDtm);
    return neverMade.length > 0 ? [tooOld(neverMade)] : [];
  });
}

function notesLost({ notes }: Schema, surplus: readonly MadeColumn[]): string {
  const examples = surplus.slice(0, 1).map(nameOf).join();
  return `${notes} doesn't note schema version ${versionsOf(surplus)}, though what that made is there (${examples}): restore its rows from the backup, or from another database that this release migrated`;
}

function tableGone({ notes }: Schema, columns: readonly MadeColumn[]): string {
  return `the table ${tablesOf(columns).join()} is missing, though ${notes} notes schema version ${versionsOf(columns)} as applied: restore the backup`;
}

function columnsGone({ notes }: Schema, columns: readonly MadeColumn[]): string {
  return `the table ${tablesOf(columns).join()} lacks ${named(columns)}, though ${notes} notes schema version ${versionsOf(columns)} as applied: restore the backup, or add again ${defined(columns)}`;
}

/** Before anything is added to it, so that the start can be tried again. */
function tooOld(columns: readonly MadeColumn[]): string {
  return `the table ${tablesOf(columns).join()}, which dtm made, lacks ${named(columns)}: add ${defined(columns)}, as a newer dtm has it`;
}

function named(columns: readonly MadeColumn[]): string {
  return `the column${columns.length === 1 ? "" : "s"} ${columns.map(({ name }) => name).join(", ")}`;
}

function defined(columns: readonly MadeColumn[]): string {
  return columns.map(({ name, definition }) => `"${name} ${definition}"`).join(", ");
}

function versionsOf(columns: readonly MadeColumn[]): string {
  return [...new Set(columns.map(({ by }) => `${by.version} (${by.name})`))].join(", ");
}
