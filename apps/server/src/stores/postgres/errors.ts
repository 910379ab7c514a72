/** What an error of PostgreSQL means: for a batch (rules.md R7), and for somebody who starts the server. */
import pg from "pg";
import type { Trouble } from "../relational/database.js";
import { HasNul } from "./connection.js";

const AGAIN: ReadonlySet<string> = new Set(["40001", "40P01", "55P03", "57014"]);
/** Data exception, integrity violation, program limit. */
const DATA: ReadonlySet<string> = new Set(["22", "23", "54"]);
/** Connection exception, operator intervention; a primary that became a standby takes no writes. */
const LOST: ReadonlySet<string> = new Set(["08", "57"]);
const READ_ONLY = "25006";
/** Of prepared statements: the name is unknown or taken, or the table is another since. A new connection prepares them anew. */
const STALE: ReadonlySet<string> = new Set(["26000", "42P05", "0A000"]);

/** Only the server refuses data, and it gives a code. Without one nothing is known but that no answer came: of a socket, a driver, a pool. */
export function troubleOf(cause: unknown, broken: boolean): Trouble {
  if (cause instanceof HasNul) return "data";
  const code = codeOf(cause);
  if (code === null) return "lost";
  if (broken || isFatal(cause) || code === READ_ONLY || STALE.has(code)) return "lost";
  if (AGAIN.has(code)) return "again";
  const family = code.slice(0, 2);
  if (LOST.has(family)) return "lost";
  return DATA.has(family) ? "data" : "down";
}

/** SQLSTATE of an answer of the server, null for anything else. */
export function codeOf(cause: unknown): string | null {
  return cause instanceof pg.DatabaseError && cause.code !== undefined ? cause.code : null;
}

function isFatal(cause: unknown): boolean {
  return cause instanceof pg.DatabaseError && (cause.severity === "FATAL" || cause.severity === "PANIC");
}
