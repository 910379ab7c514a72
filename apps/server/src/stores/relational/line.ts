/**
 * A lane's way to the database: one connection of its own, opened again with growing pauses when it is lost. While the database stays
 * away nothing waits longer than the patience, counted from the moment it went.
 */
import { StoreUnavailable } from "../store.js";
import { type Connect, messageOf, type Session } from "./database.js";

/** How long an operation waits for a database that just went away (R7). */
export const PATIENCE_MS = 5_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

export class Line {
  readonly #connect: Connect;
  #session: Session | null = null;
  #awaySince: number | null = null;
  #pause = FIRST_PAUSE_MS;
  #nextTry = 0;
  #lastCause: unknown = null;

  constructor(
    connect: Connect,
    readonly patienceMs: number = PATIENCE_MS,
  ) {
    this.#connect = connect;
  }

  /** Rejects with StoreUnavailable when the database has been away for longer than the patience. */
  async session(): Promise<Session> {
    if (this.#session !== null) return this.#session;
    for (;;) {
      const now = performance.now();
      this.#awaySince ??= now;
      const wait = this.#nextTry - now;
      if (wait > 0) {
        if (now + wait > this.#awaySince + this.patienceMs) throw this.#unavailable();
        await pause(wait);
      }
      try {
        this.#session = await this.#connected();
        this.#awaySince = null;
        this.#pause = FIRST_PAUSE_MS;
        this.#nextTry = 0;
        return this.#session;
      } catch (cause) {
        this.#lastCause = cause;
        this.#nextTry = performance.now() + this.#pause * (0.5 + Math.random() / 2);
        this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
      }
    }
  }

  /** The connection is lost or its state unknown: the next session is a new one. */
  drop(): void {
    this.#session?.destroy();
    this.#session = null;
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }

  /** A server may greet and then fall silent. What comes too late is nobody's. */
  async #connected(): Promise<Session> {
    const connecting = this.#connect();
    try {
      return await within(performance.now() + this.patienceMs, connecting);
    } catch (cause) {
      if (cause instanceof Late)
        connecting.then(
          (session) => session.destroy(),
          () => undefined,
        );
      throw cause;
    }
  }

  #unavailable(): StoreUnavailable {
    return new StoreUnavailable(`the database can't be reached: ${messageOf(this.#lastCause)}`, { cause: this.#lastCause });
  }
}

export function pause(millis: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, millis));
}

/** What was waited for may still happen. */
export class Late extends Error {
  override readonly name = "Late";
}

/** `deadline` on the monotonic clock. */
export function within<T>(deadline: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Late("no answer in time"));
    const timer = setTimeout(late, Math.max(0, deadline - performance.now()));
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
