/** What a start on tables that dtm made says about them. */
import type { Log } from "../../engine/coordinator.js";

export interface Preparation {
  readonly autoMigrate: boolean;
  readonly log: Log | undefined;
}

/** Whoever waits for dtm's old rows to go would wait for ever (rules.md R30). */
export function tellAdopted(log: Log | undefined, lastId: number): void {
  if (lastId > 0) log?.info({ lastId }, "what dtm wrote is kept after its end: retention removes only what was created since");
}
