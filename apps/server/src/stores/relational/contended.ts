/** What a database rolled back for sure because two transactions were in each other's way, done again. */
import type { Trouble } from "./database.js";
import { PATIENCE_MS, pause } from "./line.js";

/** Deadlocks and serialization failures in a row. */
export const TRIES = 12;

/** Lets the other side end. */
export function backOff(tried: number): Promise<void> {
  return pause(Math.random() * Math.min(5 * 2 ** tried, 500));
}

/** For work outside of the lanes that meets the locks of nodes at work, and may be done twice. */
export async function contended<T>(work: () => Promise<T>, troubleOf: (cause: unknown) => Trouble): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (cause) {
      if (tried >= TRIES || performance.now() > deadline || troubleOf(cause) !== "again") throw cause;
      await backOff(tried);
    }
  }
}
