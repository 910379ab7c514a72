/**
 * One connection to one node. Commands go out together and their answers come back in order; when it breaks, or no answer comes in time,
 * whatever has none is told so, and the next use opens another one, with growing pauses.
 */
import type { Redis } from "ioredis";
import type { Argument } from "./rows.js";

/** How long an operation waits for a Redis that just went away, and for an answer (R7). */
export const PATIENCE_MS = 5_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** No connection could be had, so nothing was sent. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export type Command = readonly [string, ...Argument[]];

export class Link {
  readonly #open: () => Redis;
  #redis: Promise<Redis> | null = null;
  #awaySince: number | null = null;
  #pause = FIRST_PAUSE_MS;
  #nextTry = 0;
  #lastCause: unknown = null;
  #closed = false;

  constructor(open: () => Redis) {
    this.#open = open;
  }

  /** Since when it can't be reached, on the monotonic clock; null while it can. */
  get awaySince(): number | null {
    return this.#awaySince;
  }

  /** One result per command; an Error where Redis answered with one, or didn't answer. */
  async send(commands: readonly Command[]): Promise<readonly unknown[]> {
    const redis = await this.#connected();
    const pipeline = redis.pipeline();
    for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      // When this whole process was held up, the answer may be there and only be unread: sockets are read before the second turn.
      timer = setTimeout(() => setImmediate(() => setImmediate(() => resolve(null))), PATIENCE_MS);
    });
    try {
      const answers = await Promise.race([pipeline.exec(), late]);
      if (answers === null) {
        this.drop();
        return commands.map(() => new NoAnswer(`Redis gave no answer within ${PATIENCE_MS} ms`));
      }
      return answers.map(([error, value]) => error ?? value);
    } catch (cause) {
      this.drop();
      const lost = cause instanceof Error ? cause : new NoAnswer(String(cause));
      return commands.map(() => lost);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next use opens another connection. */
  drop(): void {
    const redis = this.#redis;
    this.#redis = null;
    void redis?.then(
      (open) => open.disconnect(),
      () => undefined,
    );
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  #connected(): Promise<Redis> {
    if (this.#redis !== null) return this.#redis;
    const now = performance.now();
    this.#awaySince ??= now;
    if (this.#closed || now < this.#nextTry) {
      // Never kept as the connection: who asks after the pause finds none, and opens one.
      const why = this.#closed ? "the store is closed" : causeText(this.#lastCause);
      return Promise.reject(new NotConnected(why, { cause: this.#lastCause }));
    }
    this.#redis = this.#connect();
    return this.#redis;
  }

  async #connect(): Promise<Redis> {
    const redis = this.#open();
    let noted: unknown = null;
    redis.on("error", (cause: unknown) => {
      noted = cause;
    });
    try {
      await redis.connect();
    } catch (cause) {
      redis.disconnect();
      this.#lastCause = noted ?? cause;
      this.#redis = null;
      this.#nextTry = performance.now() + this.#pause * (0.5 + Math.random() / 2);
      this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
      throw new NotConnected(causeText(this.#lastCause), { cause: this.#lastCause });
    }
    redis.once("close", () => {
      if (this.#redis === mine) this.#redis = null;
    });
    const mine = this.#redis;
    this.#awaySince = null;
    this.#pause = FIRST_PAUSE_MS;
    this.#nextTry = 0;
    return redis;
  }
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message || cause.name : "it can't be reached";
}

export function pause(millis: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, millis));
}
