/**
 * Since when there are transactions of ours. Tables taken over from dtm may hold millions that it finished, which are kept (R30): a sweep
 * that began at the oldest row would pass them all, every minute, while the lane waits.
 */
import type { Millis } from "../../engine/transaction.js";

/** Another node may have stored older ones meanwhile (an import keeps creation times). */
const ASK_AGAIN_AFTER: Millis = 86_400_000;

export class SweepFloor {
  readonly #oldest: () => Promise<Millis | null>;
  /** As the database said. */
  #since: Millis | null = null;
  #askedAt: Millis | null = null;
  #asking: Promise<void> | null = null;
  /** The oldest that this process stored: it may not have been there yet when the database was asked. */
  #made: Millis = Number.POSITIVE_INFINITY;

  /** `oldest` reads it from the database. */
  constructor(oldest: () => Promise<Millis | null>) {
    this.#oldest = oldest;
  }

  /** This process stores one that was created then. */
  created(at: Millis): void {
    this.#made = Math.min(this.#made, wholeSecond(at));
  }

  /**
   * Null while there is nothing of ours. Where something is known it is used at once, so that a sweep keeps its place among this process's
   * writes, and the database is asked for the next one; where nothing is, nothing of this process's can be swept, and the answer is waited for.
   */
  at(now: Millis): Millis | null | Promise<Millis | null> {
    if (this.#askedAt === null || now - this.#askedAt > ASK_AGAIN_AFTER || this.#known() === null) this.#ask(now);
    return this.#known() ?? this.#asking?.then(() => this.#known()) ?? null;
  }

  #known(): Millis | null {
    const since = Math.min(this.#since ?? Number.POSITIVE_INFINITY, this.#made);
    return Number.isFinite(since) ? since : null;
  }

  #ask(now: Millis): void {
    if (this.#asking !== null) return;
    const asking = this.#oldest().then((found) => {
      this.#since = found === null ? null : wholeSecond(found);
      this.#askedAt = now;
    });
    this.#asking = asking.finally(() => {
      this.#asking = null;
    });
    // Whoever waits for it hears of it; whoever doesn't asks again next time.
    this.#asking.catch(() => undefined);
  }
}

/** What the column can hold. */
function wholeSecond(at: Millis): Millis {
  return Math.floor(at / 1000) * 1000;
}
