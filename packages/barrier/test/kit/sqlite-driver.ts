/**
 * The synchronous driver of SQLite that is tested: libsql, which has better-sqlite3's interface and is installed without a compiler. Where
 * DTM_TEST_NATIVE names a folder with better-sqlite3 and sqlite3 compiled in it (as the long form does), those themselves.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type Libsql from "libsql";

const folder = process.env["DTM_TEST_NATIVE"] ?? "";

/** Loads one of the compiled drivers; null where there are none. */
export const NATIVE: NodeJS.Require | null = folder === "" ? null : createRequire(join(folder, "package.json"));

export const SQLITE_DRIVER = NATIVE === null ? "libsql" : "better-sqlite3";

export const Sqlite: typeof Libsql = (NATIVE ?? require)(SQLITE_DRIVER);
