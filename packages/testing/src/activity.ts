/**
 * Who is at work. Virtual time stands still while some handler or the caller's own code runs, and moves on when all of them wait for
 * something that only time brings: so a real database in a handler may take as long as it likes, and the order of events is the same in
 * every run.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { settle } from "@dtm/server/embedded";

/** One piece of the application's code: a handler under way, or what the test itself runs. */
export class Worker {
  waits = 0;
  /** Settled when its process dies. */
  readonly died: Promise<void>;
  #die: () => void = () => undefined;
  #dead = false;

  /** `label` names what it does, as in `g1/01.action`. */
  constructor(readonly label: string) {
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** Whatever it waits for never comes. */
  get dead(): boolean {
    return this.#dead;
  }

  die(): void {
    this.#dead = true;
    this.#die();
  }
}

/** Real time that one handler may take before the run is given up. */
const LONGEST_REAL_MS = 30_000;

export class Activity {
  readonly #current = new AsyncLocalStorage<Worker | undefined>();
  readonly #working = new Set<Worker>();
  #changed: () => void = () => undefined;

  /** The worker whose code is running; undefined in the coordinator's own. */
  get worker(): Worker | undefined {
    return this.#current.getStore();
  }

  /** Never settles when the worker's process dies. */
  run<T>(worker: Worker, work: () => Promise<T> | T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#working.add(worker);
      const end = (): void => {
        this.#working.delete(worker);
        this.#changed();
      };
      this.#current.run(worker, async () => {
        try {
          const value = await work();
          if (!worker.dead) resolve(value);
        } catch (cause) {
          if (!worker.dead) reject(cause);
        } finally {
          end();
        }
      });
    });
  }

  /** Runs `work` for nobody: the coordinator isn't part of the application, though it was called from there. */
  outside<T>(work: () => T): T {
    return this.#current.run(undefined, work);
  }

  /** Node carries every storage that was ever used along with each promise, so thousands of runs would slow each other down. */
  end(): void {
    this.#current.disable();
  }

  kill(worker: Worker): void {
    worker.die();
    this.#working.delete(worker);
    this.#changed();
  }

  /** The running code waits for virtual time to pass. */
  async waiting<T>(promise: Promise<T>): Promise<T> {
    const { worker } = this;
    if (worker === undefined) return promise;
    worker.waits++;
    this.#changed();
    try {
      return await untilDeath(worker, promise);
    } finally {
      worker.waits--;
    }
  }

  /**
   * Until everybody waits, so that time may move.
   *
   * @throws Error when a handler is at work for half a minute of real time.
   */
  async quiet(): Promise<void> {
    const since = performance.now();
    for (;;) {
      // The second turn lets go on what the first one woke.
      await settle();
      await settle();
      if (![...this.#working].some((worker) => worker.waits === 0)) return;
      await this.#change();
      if (performance.now() - since > LONGEST_REAL_MS) {
        throw new Error("a handler is at work for 30 seconds: it waits for something that this test's time doesn't bring");
      }
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1_000).unref();
      this.#changed = () => {
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
    });
  }
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
