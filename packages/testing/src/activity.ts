/**
 * Who is at work. Virtual time stands still while some handler or the caller's own code runs, and moves on when all of them wait for
 * something that only time brings: so a real database in a handler may take as long as it likes, and the order of events is the same in
 * every run. One thing moves it on before: who is at work may need a lock that belongs to somebody who waits for the clock.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { DtmError } from "@dtm/protocol";
import { settle } from "@dtm/server/embedded";
import { Wait, Worker } from "./worker.js";

/** Real time that one handler may be at work before the run is given up. */
const LONGEST_HANDLER_MS = 10_000;
/** Patience is counted in turns of the event loop, so that a process that gets no CPU doesn't lose it. */
const TICK_MS = 25;
/** With who is at work while somebody is in the middle of `io`, and holds whatever he took before. */
export const LOCK_PATIENCE_MS = 250;
/** The usual one. A slow database is no lock, and a clock that goes on because of it makes another trace. */
export const PATIENCE_MS = 2_000;

/** The scenario, or the test around the coordinator, does what can't be simulated. */
export class ScenarioInvalid extends DtmError {
  constructor(message: string, cause?: unknown) {
    super("OPTION_INVALID", message, cause === undefined ? {} : { cause });
  }
}

interface Parked {
  readonly worker: Worker;
  readonly goOn: () => void;
}

export class Activity {
  readonly #current = new AsyncLocalStorage<Worker | undefined>();
  readonly #working = new Set<Worker>();
  /** Those of workers that live, also of what a handler left running. */
  readonly #waits = new Map<Wait, Worker>();
  readonly #parked = new Set<Parked>();
  /** Real time since anybody began, ended, or had what it waited for. */
  #calmMs = 0;
  #failure: ScenarioInvalid | null = null;
  #changed: () => void = () => undefined;

  constructor(private readonly longestHandlerMs = LONGEST_HANDLER_MS) {}

  /** The worker whose code is running; undefined in the coordinator's own. */
  get worker(): Worker | undefined {
    return this.#current.getStore();
  }

  /** Never settles when the worker's process dies. */
  run<T>(worker: Worker, work: () => Promise<T> | T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      worker.since = performance.now();
      this.#working.add(worker);
      this.#stir();
      this.#current.run(worker, async () => {
        let tell: () => void;
        try {
          const value = await work();
          tell = () => resolve(value);
        } catch (cause) {
          tell = () => reject(cause);
        }
        await this.waiting(this.turn());
        this.#working.delete(worker);
        if (!worker.dead) tell();
      });
    });
  }

  /** Runs `work` for nobody: the coordinator isn't part of the application, though it was called from there. */
  outside<T>(work: () => T): T {
    return this.#current.run(undefined, work);
  }

  /** The run is over, and with it every process that is still at work. */
  end(): void {
    for (const worker of this.#working) this.kill(worker);
    // Node carries every storage that was ever used along with each promise, so thousands of runs would slow each other down.
    this.#current.disable();
  }

  kill(worker: Worker): void {
    worker.die();
    this.#working.delete(worker);
    for (const [wait, owner] of this.#waits) if (owner === worker) this.#waits.delete(wait);
    for (const parked of this.#parked) if (parked.worker === worker) this.#parked.delete(parked);
    for (const destroy of worker.endings) this.#end(worker, destroy);
    worker.endings.clear();
    this.#stir();
  }

  /**
   * `destroy` is called when the process of the running code dies; time stands still until it is done.
   *
   * @returns Forgets it.
   */
  diesWithProcess(destroy: () => unknown): () => void {
    const { worker } = this;
    // What sets a run up belongs to no process.
    if (worker === undefined) return () => undefined;
    // Dead code goes on until the next step that it takes through us.
    if (worker.dead) this.#end(worker, destroy);
    else worker.endings.add(destroy);
    return () => void worker.endings.delete(destroy);
  }

  /** The running code waits for virtual time to pass. */
  async waiting<T>(promise: Promise<T>, wait = new Wait(PATIENCE_MS)): Promise<T> {
    const { worker } = this;
    if (worker === undefined) return promise;
    if (worker.dead) return new Promise(() => undefined);
    this.#waits.set(wait, worker);
    worker.waits++;
    this.#stir();
    try {
      return await untilDeath(worker, promise);
    } finally {
      this.#waits.delete(wait);
      worker.waits--;
      worker.since = performance.now();
      this.#stir();
    }
  }

  /**
   * Settles when it is the running code's turn to be seen by the others. A lock that is let go sets two workers going at once, and which of
   * them is faster must not be seen in a trace.
   */
  turn(): Promise<void> {
    const { worker } = this;
    if (worker === undefined) return Promise.resolve();
    return new Promise((goOn) => {
      if (!worker.dead) this.#parked.add({ worker, goOn });
    });
  }

  /**
   * Until time may move: everybody waits, or somebody waits for the clock and the others have long been at work. `mayMove` tells whether
   * time has anything to bring.
   *
   * @throws ScenarioInvalid when a handler is at work for too long, and when a connection of a dead process can't be
   * destroyed.
   */
  async quiet(mayMove: () => boolean): Promise<void> {
    for (;;) {
      // The second turn lets go on what the first one woke.
      await settle();
      await settle();
      if (this.#failure !== null) throw this.#failure;
      const busy = [...this.#working].filter((worker) => worker.waits === 0);
      if ((busy.length === 0 || this.#calmMs >= LOCK_PATIENCE_MS) && this.#nextGoesOn()) continue;
      if (busy.length === 0 || (this.#clockIsAwaited() && mayMove())) return;
      const tooLong = busy.filter(({ since }) => performance.now() - since > this.longestHandlerMs);
      if (tooLong.length > 0) throw new ScenarioInvalid(atWork(tooLong, this.longestHandlerMs));
      await this.#change();
    }
  }

  #clockIsAwaited(): boolean {
    return [...this.#waits.keys()].some(({ acting, patienceMs }) => acting === 0 && this.#calmMs >= patienceMs);
  }

  #nextGoesOn(): boolean {
    const [next] = [...this.#parked].sort((a, b) => a.worker.order - b.worker.order);
    if (next === undefined) return false;
    this.#parked.delete(next);
    next.goOn();
    return true;
  }

  #end({ label }: Worker, destroy: () => unknown): void {
    this.run(new Worker(`the end of ${label}`), destroy).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      const todo = "what was given back by other means than its release() must not be given to kit.connection";
      this.#failure ??= new ScenarioInvalid(
        `kit.connection: a connection of ${label} couldn't be destroyed (${why}): ${todo}`,
        cause,
      );
    });
  }

  #stir(): void {
    this.#calmMs = 0;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      // It keeps the process alive: a lock inside of it that nobody lets go must be told of.
      const timer = setTimeout(() => {
        this.#calmMs += TICK_MS;
        resolve();
      }, TICK_MS);
      this.#changed = () => {
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
    });
  }
}

function atWork(workers: readonly Worker[], longestMs: number): string {
  const names = workers.map(({ label, place }) =>
    place === "" ? `${label} hasn't come to its end` : `the handler of ${place} (${label}) hasn't answered`,
  );
  return [
    `${names.join(", and ")} for ${longestMs / 1000} s of real time: virtual time stands still while it runs.`,
    "Does it end its response on every way? If it waits for a lock that a dead process left behind: give the connection to",
    "kit.connection(client, destroy) where it is taken out of its pool, so that its transaction is rolled back, as in a real crash. If it waits",
    "for a lock of its own caller, or of the test, that must be let go before. If it only needs more time: longestHandlerMs.",
  ].join(" ");
}

function untilDeath<T>(worker: Worker, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(
      (value) => {
        if (!worker.dead) resolve(value);
      },
      (cause: unknown) => {
        if (!worker.dead) reject(cause);
      },
    );
  });
}
