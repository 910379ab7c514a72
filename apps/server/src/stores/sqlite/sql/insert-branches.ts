import type { Bound, Database } from "../database.js";
import { BRANCH_COLUMNS, numberAt, PAYLOAD_AT } from "../rows.js";
import type { BranchRows, Row } from "../wire.js";

/** Rows per statement; each length below it is prepared once. */
export const ROWS_PER_STATEMENT = 32;

const PLACES = `(${BRANCH_COLUMNS.map(() => "?").join(", ")})`;
const STATEMENTS: string[] = [];

function statement(rows: number): string {
  const known = STATEMENTS[rows];
  if (known !== undefined) return known;
  const sql = `
    INSERT INTO trans_branch_op (${BRANCH_COLUMNS.join(", ")})
    VALUES ${Array(rows).fill(PLACES).join(", ")}`;
  STATEMENTS[rows] = sql;
  return sql;
}

/**
 * In creation order, so that ids tell it. A statement with a row that exists already is undone as a whole by SQLite itself; with more
 * rows than one statement takes, the caller's savepoint undoes the statements before.
 */
export function insertBranches(db: Database, branches: BranchRows, bytes: Uint8Array): void {
  const { rows } = branches;
  let from = branches.from;
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const chunk = rows.slice(start, start + ROWS_PER_STATEMENT);
    const values: Bound[] = [];
    for (const row of chunk) from = bind(row, bytes, from, values);
    db.run(statement(chunk.length), values);
  }
}

function bind(row: Row, bytes: Uint8Array, from: number, values: Bound[]): number {
  const to = from + numberAt(row, PAYLOAD_AT);
  for (let place = 0; place < PAYLOAD_AT; place++) values.push(row[place] ?? null);
  values.push(bytes.subarray(from, to));
  return to;
}
