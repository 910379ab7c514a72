/** The answers of MySQL's drivers: `[result, fields]`, or the result alone. */
import { isRecord, Raw, type Reply, rowsOf, type Statement } from "./statement.js";

/** SERVER_STATUS_IN_TRANS of the OK packet. */
const IN_TRANSACTION = 1;

export function mysqlReply(statement: Statement, answer: unknown): Reply {
  switch (statement.expects) {
    case "rows":
      // Without fields it is the rows themselves: those are records, and [rows, fields] starts with a list.
      return { rows: Array.isArray(answer) && Array.isArray(answer[0]) ? rowsOf(answer[0]) : rowsOf(answer) };
    case "affected":
    case "nothing": {
      const header: unknown = Array.isArray(answer) ? answer[0] : answer;
      const status = isRecord(header) ? header["serverStatus"] : undefined;
      return {
        affected: affectedRows(header),
        rowId: insertId(header),
        open: typeof status === "number" ? (status & IN_TRANSACTION) !== 0 : undefined,
      };
    }
  }
}

function affectedRows(header: unknown): number | undefined {
  if (!isRecord(header)) return undefined;
  const count = header["affectedRows"];
  return typeof count === "number" ? count : typeof count === "bigint" ? Number(count) : undefined;
}

function insertId(header: unknown): Raw | undefined {
  const id = isRecord(header) ? String(header["insertId"]) : "";
  return /^[1-9]\d*$/.test(id) ? new Raw(id) : undefined;
}
