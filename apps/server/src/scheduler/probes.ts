/**
 * While a destination's breaker is open, one waiting transaction at a time asks whether it answers again; when it does, all that
 * wait for it become due, in growing chunks so that it isn't drowned at once (R13).
 */
import type { Clock } from "../engine/clock.js";
import type { Log } from "../engine/coordinator.js";
import type { DestinationEvents, Destinations } from "../engine/destinations.js";
import type { Engine } from "../engine/engine.js";
import type { Millis, Owner } from "../engine/transaction.js";
import type { TransactionStore } from "../stores/store.js";

const PROBE_EVERY: Millis = 1_000;
const PROBE_LATER: Millis = 10_000;
const EAGER_FOR: Millis = 60_000;
const WAITING_TO_BEGIN_OPEN = 20;
const FIRST_CHUNK = 32;
const LARGEST_CHUNK = 512;
const BETWEEN_CHUNKS: Millis = 50;
const WAKE_AGAIN: Millis = 1_000;

export class Probes implements DestinationEvents {
  #destinations: Destinations | null = null;
  #running = false;
  readonly #timers = new Map<string, () => void>();

  constructor(
    private readonly parts: {
      readonly store: TransactionStore;
      readonly engine: () => Engine;
      readonly clock: Clock;
      readonly log: Log;
      readonly look: () => void;
      /** A claim whose reply was lost may have happened (R7). */
      readonly readBack: (owner: Owner) => void;
      /** So many claims couldn't be read back that none is to be added. */
      readonly unreadable: () => boolean;
    },
  ) {}

  /** What waited for a destination before this process started begins with one probe, not with a stampede. */
  async start(destinations: Destinations): Promise<void> {
    this.#destinations = destinations;
    this.#running = true;
    for (const destination of await this.parts.store.waitingDestinations(WAITING_TO_BEGIN_OPEN)) destinations.begin(destination);
  }

  stop(): void {
    this.#running = false;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  opened(destination: string): void {
    this.parts.log.warn({ destination }, "destination is down; probing");
    this.#probeAfter(destination, 0, this.parts.clock.monotonic());
  }

  answered(destination: string): void {
    this.parts.log.info({ destination }, "destination answers again");
    this.#after(destination, 0, () => this.#wake(destination, FIRST_CHUNK));
  }

  /** A deferral was written after the wake-up had passed: it must not sleep until its own clock. */
  missed(destination: string): void {
    if (!this.#timers.has(destination)) this.#after(destination, 0, () => this.#wake(destination, FIRST_CHUNK));
  }

  #probeAfter(destination: string, delay: Millis, openedAt: Millis): void {
    this.#after(destination, delay, () => this.#probe(destination, openedAt));
  }

  async #probe(destination: string, openedAt: Millis): Promise<void> {
    const { store, clock } = this.parts;
    const engine = this.parts.engine();
    if (!this.#destinations?.isOpen(destination)) return;
    const waited = clock.monotonic() - openedAt;
    this.#probeAfter(destination, waited < EAGER_FOR ? PROBE_EVERY : PROBE_LATER, openedAt);
    if (engine.room() === 0 || this.parts.unreadable()) return;
    const owner = engine.newOwner();
    const claimed = await store.claimWaiting(destination, { owner, limit: 1, now: clock.now() }).catch((cause: unknown) => {
      this.parts.readBack(owner);
      throw cause;
    });
    for (const loaded of claimed) engine.begin({ loaded, owner, fresh: false, pass: true, probes: destination });
    // Nobody waits, so nobody can ask: the next caller will find out. The first look comes too early to say so.
    if (claimed.length === 0 && waited > PROBE_EVERY && this.#destinations.inFlight(destination) === 0) {
      this.#destinations.close(destination);
      // The next probe is over with it: who rests for it from now on must find its wake-up free.
      this.#timers.get(destination)?.();
      this.#timers.delete(destination);
    }
  }

  async #wake(destination: string, chunk: number): Promise<void> {
    if (this.#destinations?.isOpen(destination)) return;
    const woken = await this.parts.store.wakeWaiting(destination, chunk, this.parts.clock.now()).catch((cause: unknown) => {
      // While the breaker is closed nobody else would wake the rest.
      this.#wakeAfter(destination, WAKE_AGAIN, FIRST_CHUNK);
      throw cause;
    });
    if (woken > 0) this.parts.look();
    if (woken === chunk) this.#wakeAfter(destination, BETWEEN_CHUNKS, Math.min(LARGEST_CHUNK, chunk * 2));
  }

  /** Where the breaker has opened again meanwhile, the timer is the next probe's, and the wake-up begins anew with its answer. */
  #wakeAfter(destination: string, delay: Millis, chunk: number): void {
    if (!this.#destinations?.isOpen(destination)) this.#after(destination, delay, () => this.#wake(destination, chunk));
  }

  /** One timer per destination. */
  #after(destination: string, delay: Millis, work: () => Promise<void>): void {
    this.#timers.get(destination)?.();
    if (!this.#running) return;
    const cancel = this.parts.clock.after(delay, () => {
      if (this.#timers.get(destination) === cancel) this.#timers.delete(destination);
      work().catch((cause: unknown) => this.parts.log.warn({ destination, err: cause }, "probe failed"));
    });
    this.#timers.set(destination, cancel);
  }
}
