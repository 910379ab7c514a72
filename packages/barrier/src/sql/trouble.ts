/** What a database's refusal of a barrier's own statement means, whichever driver or ORM wraps it. */
import { DtmError } from "@dtm/protocol";
import { chain, hasCode } from "./error-codes.js";
import { notOpen } from "./rows.js";
import type { TableName } from "./table.js";

/** undefined_table, invalid_schema_name; ER_NO_SUCH_TABLE, ER_BAD_DB_ERROR. */
const MISSING_TABLE: ReadonlySet<unknown> = new Set([
  "42P01",
  "3F000",
  1146,
  "1146",
  "ER_NO_SUCH_TABLE",
  1049,
  "1049",
  "ER_BAD_DB_ERROR",
]);
/** invalid_schema_name; ER_BAD_DB_ERROR. */
const MISSING_SCHEMA: ReadonlySet<unknown> = new Set(["3F000", 1049, "1049", "ER_BAD_DB_ERROR"]);
/** no_active_sql_transaction. */
const NO_TRANSACTION: ReadonlySet<unknown> = new Set(["25P01"]);
/** unique_violation, duplicate_table, duplicate_schema, duplicate_object, "tuple concurrently updated": two who create it at once. */
const CREATED_AT_ONCE: ReadonlySet<unknown> = new Set(["23505", "42P07", "42P06", "42710", "XX000"]);

/** The error as the caller should see it: itself, unless it has a meaning of our own. */
export function translate(cause: unknown, table: TableName): unknown {
  if (hasCode(cause, NO_TRANSACTION)) return notOpen();
  if (!isMissingTable(cause, table)) return cause;
  return new DtmError(
    "BARRIER_TABLE_MISSING",
    `expected the table ${table.full} in this database, found none: create it with barrier.createTable(db), ` +
      "or with the statements of barrierTableSql()",
    { cause },
  );
}

export function isMissingTable(cause: unknown, { full }: TableName): boolean {
  return hasCode(cause, MISSING_TABLE) || inText(cause, `no such table: ${full}`);
}

export function isMissingSchema(cause: unknown): boolean {
  return hasCode(cause, MISSING_SCHEMA) || inText(cause, "Unknown database");
}

export function isCreatedAtOnce(cause: unknown): boolean {
  return hasCode(cause, CREATED_AT_ONCE);
}

/** SQLite has one code for all mistakes in a statement, and wrappers put text before its message. */
function inText(cause: unknown, text: string): boolean {
  return chain(cause).some(({ message }) => typeof message === "string" && message.includes(text));
}
