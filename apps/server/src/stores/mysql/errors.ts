/** What an error of MySQL or MariaDB means for a batch (rules.md R7). */
import { types } from "node:util";
import type { Trouble } from "../relational/database.js";

/** Deadlock, lock wait, NOWAIT, interrupted, statement time; MariaDB's "record has changed since last read". */
const AGAIN: ReadonlySet<number> = new Set([1213, 1205, 3572, 1317, 3024, 1969, 1020]);
/** Duplicate, null, range, length, characters, dates, keys, checks. */
const DATA: ReadonlySet<number> = new Set([1062, 1048, 1264, 1406, 1366, 1292, 1365, 1367, 1452, 1690, 3819, 4025, 22007]);
/** Shutdown, killed, idle for too long, too many connections, and a primary that became read-only. */
const LOST: ReadonlySet<number> = new Set([1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031, 1040, 1290, 1836, 3032, 1792]);
/** A right to the database, a table, a column, a routine or the server is missing. */
const DENIED: ReadonlySet<number> = new Set([1044, 1142, 1143, 1370, 1227]);

/** A gid that the table takes for another one: its column was made by dtm and ignores case, or it differs by spaces at the end. */
export class GidTooAlike extends Error {
  override readonly name = "GidTooAlike";
}

/** Only the server refuses data, and it gives a number. Without one nothing is known but that no answer came: of a socket, a driver, a pool. */
export function troubleOf(cause: unknown, broken: boolean): Trouble {
  const number = errnoOf(cause);
  if (number === null || broken || isFatal(cause)) return "lost";
  if (AGAIN.has(number)) return "again";
  if (LOST.has(number)) return "lost";
  if (DENIED.has(number)) return "denied";
  return DATA.has(number) ? "data" : "down";
}

/** The server's own number, null for anything else; the errors of sockets have negative ones. */
export function errnoOf(cause: unknown): number | null {
  if (!types.isNativeError(cause) || !("errno" in cause) || typeof cause.errno !== "number") return null;
  return cause.errno > 0 ? cause.errno : null;
}

export function isDuplicate(cause: unknown): boolean {
  return errnoOf(cause) === 1062;
}

function isFatal(cause: unknown): boolean {
  return types.isNativeError(cause) && "fatal" in cause && cause.fatal === true;
}
