/** Keeps this node's epoch alive in a shared store, and tells the engine when it was declared dead (R2). */
import type { Clock } from "../engine/clock.js";
import type { Log } from "../engine/coordinator.js";
import type { Engine } from "../engine/engine.js";
import type { Millis } from "../engine/transaction.js";
import { StoreUnavailable, type TransactionStore } from "../stores/store.js";

export class Heartbeat {
  #cancel: () => void = () => undefined;
  #running = false;
  #beating: Promise<void> = Promise.resolve();
  /** Why the last beat that ended was none; null while they succeed. */
  #trouble: unknown = null;
  #heardAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly parts: {
      readonly store: TransactionStore;
      readonly engine: Engine;
      readonly clock: Clock;
      readonly log: Log;
      readonly everyMs: Millis;
      readonly leaseMs: Millis;
      /** Whether the process of an epoch provably ended. Absent: nobody can tell, so nobody is looked for. */
      readonly isGone: ((epoch: string) => boolean) | undefined;
    },
  ) {}

  /** Nothing is claimed before the first beat is confirmed. */
  async start(): Promise<void> {
    if (!this.parts.store.shared) return;
    this.#running = true;
    await this.#beat();
    await this.#retireGone();
    this.#schedule();
  }

  /** Rejects while the store takes no heartbeat of this node. A beat is a write: that a store answers doesn't say that it takes any. */
  async check(): Promise<void> {
    if (!this.#running) return;
    if (this.#trouble !== null) throw this.#trouble;
    const silentMs = this.parts.clock.monotonic() - this.#heardAt;
    if (silentMs > this.parts.leaseMs) throw new StoreUnavailable(`no heartbeat was confirmed for ${Math.round(silentMs)} ms`);
  }

  /** After the drives have ended: others need not wait for the lease to lapse. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#cancel();
    await this.#beating;
    await this.parts.store.retire(this.parts.engine.epoch);
  }

  /** What an earlier process of this host left is due now, not when its lease has lapsed; a failure only costs that time. */
  async #retireGone(): Promise<void> {
    const { store, isGone, log } = this.parts;
    if (isGone === undefined) return;
    try {
      for (const epoch of (await store.liveEpochs()).filter(isGone)) {
        await store.retire(epoch);
        log.info({ epoch }, "its process is gone: declared dead");
      }
    } catch (cause) {
      log.warn({ err: cause }, "could not look for earlier processes of this host");
    }
  }

  #schedule(): void {
    if (!this.#running) return;
    this.#cancel = this.parts.clock.after(this.parts.everyMs, () => {
      this.#beating = this.#beat()
        .catch((cause: unknown) => this.parts.log.warn({ err: cause }, "heartbeat failed"))
        .finally(() => this.#schedule());
    });
  }

  async #beat(): Promise<void> {
    try {
      await this.#beaten();
      this.#trouble = null;
    } catch (cause) {
      this.#trouble = cause;
      throw cause;
    }
  }

  async #beaten(): Promise<void> {
    if (await this.#heard()) return;
    this.parts.engine.epochDied();
    if (!(await this.#heard())) throw new StoreUnavailable("the store holds a fresh epoch of this node as dead");
  }

  async #heard(): Promise<boolean> {
    const { store, engine, clock, leaseMs } = this.parts;
    const sentAt = clock.monotonic();
    if (!(await store.heartbeat(engine.epoch, leaseMs))) return false;
    engine.heard(sentAt);
    this.#heardAt = sentAt;
    return true;
  }
}
