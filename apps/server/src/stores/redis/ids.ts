/**
 * Numbers of new transactions: they rise with the order of creation over all shards. Each batch that used some reserves as many in its own
 * pipeline, so that the next one need not wait for them; another node's may be out of order by as long as a reserve lasts.
 */
import type { Call, Dispatcher } from "./dispatch.js";
import type { Keys, Tag } from "./keys.js";

const RESERVED_MS = 50;

export class Ids {
  readonly #dispatcher: Dispatcher;
  readonly #keys: Keys;
  /** The highest that was given out here. */
  #last = 0;
  #reserved: { readonly before: number; readonly count: number; readonly at: number } | null = null;

  constructor(dispatcher: Dispatcher, keys: Keys) {
    this.#dispatcher = dispatcher;
    this.#keys = keys;
  }

  /** The number before the first of so many. */
  async take(count: number): Promise<number> {
    const reserved = this.#reserved;
    this.#reserved = null;
    // A reserve that was asked for before the last number, and answered before that came, lies below it.
    const ahead = reserved !== null && reserved.before >= this.#last;
    if (ahead && reserved.count >= count && performance.now() - reserved.at < RESERVED_MS) {
      const { before, at } = reserved;
      this.#last = before + count;
      // What is left serves another lane.
      this.#reserved = { before: before + count, count: reserved.count - count, at };
      return before;
    }
    let before = await this.#raised(count);
    // A failover may have taken the counter back.
    if (before < this.#last) before = (await this.#raised(this.#last - before + count)) + (this.#last - before);
    this.#last = Math.max(this.#last, before + count);
    return before;
  }

  /** Whether the node that has this counts, too. */
  liesWith(tag: Tag): boolean {
    return this.#dispatcher.nodeOf(tag) === this.#dispatcher.nodeOf("meta");
  }

  /** What goes along with a batch, and whose reply `reserve` takes. */
  raise(count: number): Call {
    return { tag: "meta", command: "INCRBY", keys: [this.#keys.of("meta", "id")], args: [String(count)], durable: true };
  }

  reserve(count: number, reply: unknown): void {
    const before = reply instanceof Error ? Number.NaN : Number(reply) - count;
    if (before >= this.#last) this.#reserved = { before, count, at: performance.now() };
  }

  /** Beside a batch. */
  async reserveMore(count: number): Promise<void> {
    const [reply] = await this.#dispatcher.settle([this.raise(count)]);
    this.reserve(count, reply);
  }

  async #raised(count: number): Promise<number> {
    return Number(await this.#dispatcher.one(this.raise(count))) - count;
  }
}
