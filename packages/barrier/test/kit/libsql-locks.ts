/**
 * libsql (0.5) doesn't reset a statement that met a lock: until the garbage collector has found it, what else is written on that
 * connection without BEGIN isn't committed. better-sqlite3 does reset it. The barrier's own driver isn't affected, since it begins with
 * BEGIN IMMEDIATE; the ORMs, to which libsql is lent as better-sqlite3 here, are.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Lets go of statements that met a lock. */
export async function finishLockedStatements(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    if (typeof collect === "function") collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
