/**
 * Since when there are transactions of ours. Tables taken over from dtm may hold millions that it finished, which are kept (R30): a sweep
 * that began at the oldest row would pass them all, every minute, while the lane waits.
 */
import type { Millis } from "../../engine/transaction.js";

/** Another node may have stored older ones meanwhile (an import keeps creation times). */
const ASK_AGAIN_AFTER: Millis = 86_400_000;

export class SweepFloor {
  /** As the database said. */
  #since: Millis | null = null;
  #asked: Millis = 0;
  /** The oldest that this process stored: it may not have been there yet when the database was asked. */
  #made: Millis = Number.POSITIVE_INFINITY;

  /** This process stores one that was created then. */
  created(at: Millis): void {
    this.#made = Math.min(this.#made, wholeSecond(at));
  }

  /** Null while there is nothing of ours; `oldest` reads it from the database. */
  async at(now: Millis, oldest: () => Promise<Millis | null>): Promise<Millis | null> {
    if (this.#since === null || now - this.#asked > ASK_AGAIN_AFTER) {
      const found = await oldest();
      this.#since = found === null ? null : wholeSecond(found);
      this.#asked = now;
    }
    return this.#since === null ? null : Math.min(this.#since, this.#made);
  }
}

/** What the column can hold. */
function wholeSecond(at: Millis): Millis {
  return Math.floor(at / 1000) * 1000;
}
