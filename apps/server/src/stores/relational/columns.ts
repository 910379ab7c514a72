/** Which columns the migrations make, read from their own SQL, so that they are listed nowhere else; a test compares them with Prisma's. */
import type { Migration } from "../migrate.js";

export interface MadeColumn {
  readonly table: string;
  readonly name: string;
  /** Its type and default. */
  readonly definition: string;
  readonly by: Migration;
  /** In a table that is made where it is absent: dtm may have made it before. */
  readonly mayBeOfDtm: boolean;
}

const TABLE = /^(?:CREATE|ALTER) TABLE (IF NOT EXISTS )?(?:\{schema\}\.)?(\w+)/;
/** Keys and constraints begin with a capital letter. */
const COLUMN = /^ {2}(?:ADD COLUMN )?([a-z]\w*) +(.*?)[,;]?$/;

/** dtm made them, and nothing of ours reads or writes them. */
const UNUSED: ReadonlySet<string> = new Set(["trans_global.ext_data", "trans_branch_op.data"]);

export function columnsMadeBy(migrations: readonly Migration[]): readonly MadeColumn[] {
  return migrations.flatMap((by) => {
    let table = "";
    let mayBeOfDtm = false;
    return by.sql.split("\n").flatMap((line) => {
      const opening = TABLE.exec(line);
      if (opening !== null) {
        table = opening[2] ?? "";
        mayBeOfDtm = opening[1] !== undefined;
      }
      const [, name, words = ""] = COLUMN.exec(line) ?? [];
      if (name === undefined) return [];
      const definition = words.replaceAll("{schema}.", "").replaceAll(/ +/g, " ");
      return [{ table, name, definition, by, mayBeOfDtm }];
    });
  });
}

export function isUsed({ table, name, mayBeOfDtm }: MadeColumn): boolean {
  return !mayBeOfDtm || !UNUSED.has(nameOf({ table, name }));
}

/** As a schema lists what it found. */
export function nameOf({ table, name }: { readonly table: string; readonly name: string }): string {
  return `${table}.${name}`;
}

export function tablesOf(made: readonly MadeColumn[]): readonly string[] {
  return [...new Set(made.map(({ table }) => table))];
}
