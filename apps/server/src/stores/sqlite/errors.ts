/** What can stop the start, one class and one line each; and how the engine's own errors are sorted (rules.md R7). */

/** Another server uses the folder (R25). */
export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
}

/** The folder can't be made, read or written. */
export class FolderUnusable extends Error {
  override readonly name = "FolderUnusable";
}

/** The folder is fine but the file in it can't be opened as our database. */
export class DatabaseUnusable extends Error {
  override readonly name = "DatabaseUnusable";
}

/**
 * `data`: this statement alone was refused. `full`: nothing more fits. `broken`: the file can't be read or written now.
 * `defect`: an error of ours, which must not fail its neighbours either.
 */
export type Trouble = "data" | "full" | "broken" | "defect";

const DATA: ReadonlySet<string> = new Set(["SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE"]);

export function troubleOf(cause: unknown): Trouble {
  const code = codeOf(cause);
  if (code === null) return "defect";
  const primary = code.split("_", 2).join("_");
  if (DATA.has(primary)) return "data";
  if (primary === "SQLITE_FULL") return "full";
  return primary === "SQLITE_ERROR" ? "defect" : "broken";
}

export function isUniqueConflict(cause: unknown): boolean {
  return codeOf(cause) === "SQLITE_CONSTRAINT_UNIQUE";
}

/** SQLite's code of an error of the driver, else null. */
export function codeOf(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("code" in cause) || typeof cause.code !== "string") return null;
  return cause.code.startsWith("SQLITE_") ? cause.code : null;
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
