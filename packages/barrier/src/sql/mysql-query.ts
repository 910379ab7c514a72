import { type Statement, withQuestionMarks } from "./statement.js";

/**
 * The statement as mysql2 and mariadb take it. A pool may have its answers in another shape: rows that the barrier reads come as records,
 * with the drivers' own types.
 */
export function mysqlQuery(statement: Statement): string | object {
  const sql = withQuestionMarks(statement);
  return statement.expects === "rows" ? { sql, ...AS_RECORDS } : sql;
}

/** Neither driver minds the other's options. */
const AS_RECORDS = {
  rowsAsArray: false,
  nestTables: false,
  metaAsArray: false,
  typeCast: (_column: unknown, own: () => unknown): unknown => own(),
};
