/** Where the barrier's rows are (protocol.md 5.5). */
import { DtmError } from "@dtm/protocol";
import type { Dialect } from "./statement.js";

/** dtm's own name, shared with services in other languages; SQLite has no schemas. */
const DEFAULTS: Readonly<Record<Dialect, string>> = {
  postgres: "dtm_barrier.barrier",
  mysql: "dtm_barrier.barrier",
  sqlite: "barrier",
};

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A table's name, checked: it becomes part of statements. */
export interface TableName {
  /** As it is written in statements. */
  readonly full: string;
  /** Schema (PostgreSQL) or database (MySQL); null when the connection's own is meant. */
  readonly schema: string | null;
  readonly name: string;
}

/** Checked once: one object for one name, so that others can remember what belongs to it. */
const CHECKED: Readonly<Record<Dialect, Map<unknown, TableName>>> = { postgres: new Map(), mysql: new Map(), sqlite: new Map() };

/** @throws DtmError OPTION_INVALID when it isn't `table` or `schema.table` in plain letters, digits and underscores. */
export function tableName(dialect: Dialect, given: unknown): TableName {
  const full = given ?? DEFAULTS[dialect];
  const known = CHECKED[dialect].get(full);
  if (known !== undefined) return known;
  const checked = check(full);
  CHECKED[dialect].set(full, checked);
  return checked;
}

function check(full: unknown): TableName {
  const parts = typeof full === "string" ? full.split(".") : [];
  if (typeof full !== "string" || parts.length > 2 || !parts.every((part) => NAME.test(part))) {
    throw new DtmError(
      "OPTION_INVALID",
      `expected the barrier's table to be named "table" or "schema.table" in letters, digits and underscores, found ${String(full)}`,
    );
  }
  const [first = "", second] = parts;
  return second === undefined ? { full, schema: null, name: first } : { full, schema: first, name: second };
}
