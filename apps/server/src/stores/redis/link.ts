/**
 * One connection to one node. Commands go out together and their answers come back in order; when it breaks, or no answer comes in time,
 * whatever has none is told so, and the next use opens another one, with growing pauses.
 */
import type { Redis } from "ioredis";
import type { Argument } from "./rows.js";
import { NoAnswer, PATIENCE_MS, within } from "./within.js";

/** Less than the patience: what became of the operation can be asked once more within it. */
const ANSWER_MS = 4_500;
/** What an attempt to connect gets when the patience is over already. */
const LEAST_CONNECT_MS = 500;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** No connection could be had, so nothing was sent. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

export type Command = readonly [string, ...Argument[]];

export class Link {
  readonly #open: () => Redis;
  #current: { readonly redis: Redis; readonly ready: Promise<Redis> } | null = null;
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
    const sentAt = performance.now();
    try {
      return await within(ANSWER_MS, inOneWrite(redis, commands));
    } catch (cause) {
      this.#drop(redis);
      // It was away all that time, for whoever waits for it from now on too.
      if (cause instanceof NoAnswer && this.#current === null) this.#awaySince ??= sentAt;
      const lost = cause instanceof Error ? cause : new Error(String(cause));
      return commands.map(() => lost);
    }
  }

  /** The next use opens another connection. */
  drop(): void {
    if (this.#current !== null) this.#drop(this.#current.redis);
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  /** Once: whatever else was sent on it gets no answer either, and says so after its own time. */
  #drop(redis: Redis): void {
    if (this.#current?.redis !== redis) return;
    this.#current = null;
    redis.disconnect();
  }

  async #connected(): Promise<Redis> {
    const now = performance.now();
    if (this.#current === null) {
      this.#awaySince ??= now;
      if (this.#closed || now < this.#nextTry)
        throw new NotConnected(this.#closed ? "the store is closed" : causeText(this.#lastCause), { cause: this.#lastCause });
      const redis = this.#open();
      this.#current = { redis, ready: this.#made(redis) };
    }
    const { ready } = this.#current;
    if (this.#awaySince === null) return ready;
    const left = this.#awaySince + PATIENCE_MS - now;
    try {
      return await within(Math.max(LEAST_CONNECT_MS, left), ready);
    } catch (cause) {
      if (cause instanceof NotConnected) throw cause;
      // The attempt goes on for those who come later.
      throw new NotConnected(causeText(cause), { cause });
    }
  }

  async #made(redis: Redis): Promise<Redis> {
    let noted: unknown = null;
    redis.on("error", (cause: unknown) => {
      noted = cause;
    });
    try {
      await within(PATIENCE_MS, redis.connect());
    } catch (cause) {
      this.#lastCause = noted ?? cause;
      this.#nextTry = performance.now() + this.#pause * (0.5 + Math.random() / 2);
      this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
      this.#drop(redis);
      throw new NotConnected(causeText(this.#lastCause), { cause: this.#lastCause });
    }
    redis.once("close", () => this.#drop(redis));
    this.#awaySince = null;
    this.#pause = FIRST_PAUSE_MS;
    this.#nextTry = 0;
    return redis;
  }
}

/** Not ioredis' pipeline: each of those lives, with all that it holds, until the old generation is collected (docs/decisions/garbage.md). */
function inOneWrite(redis: Redis, commands: readonly Command[]): Promise<readonly unknown[]> {
  const { stream } = redis;
  stream.cork();
  try {
    return Promise.all(commands.map(([name, ...args]) => redis.callBuffer(name, ...args).catch((cause: unknown) => cause)));
  } finally {
    stream.uncork();
  }
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message || cause.name : "it can't be reached";
}

export function pause(millis: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, millis));
}
