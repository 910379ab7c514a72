/**
 * Removes finished transactions once they are older than they must be kept (R30): once a minute, in chunks with a pause in between,
 * so that the work of the living isn't kept waiting.
 */
import type { Clock } from "../engine/clock.js";
import type { Log } from "../engine/coordinator.js";
import type { Millis } from "../engine/transaction.js";
import type { TransactionStore } from "../stores/store.js";

const EVERY: Millis = 60_000;
const CHUNK = 256;
const BETWEEN_CHUNKS: Millis = 20;

export class Retention {
  #cancel: () => void = () => undefined;
  #running = false;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: {
      readonly store: Pick<TransactionStore, "sweep">;
      readonly clock: Clock;
      readonly log: Log;
      /** How long they are kept after their end; 0 = for ever. */
      readonly keepMs: Millis;
      /** Of [0, 1): several nodes on one store shall not sweep in step. */
      readonly random: () => number;
    },
  ) {}

  start(): void {
    if (this.parts.keepMs === 0) return;
    this.#running = true;
    this.#after(EVERY * this.parts.random(), 0);
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel();
    await this.#sweeping;
  }

  #after(delay: Millis, removed: number): void {
    if (!this.#running) return;
    this.#cancel = this.parts.clock.after(delay, () => {
      this.#sweeping = this.#sweep(removed);
    });
  }

  async #sweep(removed: number): Promise<void> {
    const { store, clock, log, keepMs } = this.parts;
    try {
      const count = await store.sweep({ endedBefore: clock.now() - keepMs, limit: CHUNK });
      const total = removed + count;
      if (count === CHUNK) return this.#after(BETWEEN_CHUNKS, total);
      if (total > 0) log.info({ count: total }, "removed finished transactions");
    } catch (cause) {
      log.warn({ err: cause }, "finished transactions could not be removed; trying again later");
    }
    this.#after(EVERY, 0);
  }
}
