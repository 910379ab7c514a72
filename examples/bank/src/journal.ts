/** What the bank was asked lately and what it did, kept in memory for whoever wants to watch. The ledger doesn't need it. */
import type { BranchCall } from "./barrier.js";

export interface Entry extends BranchCall {
  /** Milliseconds since 1970 with fractions, so that the entries of two banks on one machine can be put in order. */
  readonly at: number;
  readonly path: string;
  readonly did: "ran" | "skipped" | "refused";
  readonly why?: string;
}

const KEPT = 1_000;

export class Journal {
  readonly #entries: Entry[] = [];

  add(entry: Omit<Entry, "at">): void {
    this.#entries.push({ at: performance.timeOrigin + performance.now(), ...entry });
    if (this.#entries.length > 2 * KEPT) this.#entries.splice(0, KEPT);
  }

  of(gid: string): readonly Entry[] {
    return this.#entries.filter((entry) => entry.gid === gid);
  }
}
