/** What a start on tables that dtm made says about them. */
import type { Log } from "../../engine/coordinator.js";
import { nameOf } from "./columns.js";
import { DatabaseUnusable } from "./errors.js";

export interface Preparation {
  readonly autoMigrate: boolean;
  readonly log: Log | undefined;
}

/** Where the highest id that dtm gave is kept; there is one row. */
export const ADOPTED = nameOf({ table: "dtm_adopted", name: "last_id" });

/** A guess would make retention delete what dtm wrote (rules.md R30), so none is put in its place. */
export function adoptedTrouble(lastIds: readonly number[]): string | null {
  if (lastIds.length === 1) return null;
  const found = lastIds.length === 0 ? "no row" : `${lastIds.length} rows`;
  return `the table dtm_adopted has ${found} in place of one, so what dtm wrote can't be told from what retention removes: restore it from the backup, or leave one row in it, with the highest id in trans_global that dtm gave (0 if it never used this database)`;
}

export function requireAdopted(lastIds: readonly number[]): void {
  const trouble = adoptedTrouble(lastIds);
  if (trouble !== null) throw new DatabaseUnusable(trouble);
}

/** Whoever waits for dtm's old rows to go would wait for ever (rules.md R30). */
export function tellAdopted(log: Log | undefined, lastId: number): void {
  if (lastId > 0) log?.info({ lastId }, "what dtm wrote is kept after its end: retention removes only what was created since");
}
