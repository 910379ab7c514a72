/**
 * The operations of a lane: each is one script over one slot. A batch goes out as one pipeline per node; of operations on one gid each waits
 * for the one before, so that their order holds whatever has to be sent again (R7).
 */
import { randomBytes } from "node:crypto";
import { StoreUnavailable } from "../store.js";
import type { Call, Dispatcher } from "./dispatch.js";
import type { Ids } from "./ids.js";
import type { Keys, Tag } from "./keys.js";
import { type Argument, textOf } from "./rows.js";
import type { Script } from "./script.js";

export interface Write {
  readonly script: Script;
  readonly tag: Tag;
  /** Without the journal's. */
  readonly keys: readonly string[];
  /** What must stay in order among itself: the gid, or the key's field. */
  readonly subject: string;
  /** A new transaction needs a number. */
  readonly numbered: boolean;
  /** Without the journal's. */
  args(id: number): readonly Argument[];
}

export interface Written {
  readonly word: string;
  /** HGETALL of the row, when the script sends it. */
  readonly row: unknown;
}

/** Long before it would go away. */
const KEEP_AGAIN_MS = 3_600_000;

export interface WriterParts {
  readonly dispatcher: Dispatcher;
  readonly keys: Keys;
  /** Of all lanes of this store. */
  readonly ids: Ids;
  /** Answers wait for replicas. */
  readonly waits: boolean;
}

export class Writer {
  readonly #dispatcher: Dispatcher;
  readonly #keys: Keys;
  readonly #ids: Ids;
  readonly #waits: boolean;
  readonly #journal = `j:${randomBytes(9).toString("base64url")}`;
  readonly #keptAt = new Map<Tag, number>();
  #batches = 0;

  constructor({ dispatcher, keys, ids, waits }: WriterParts) {
    this.#dispatcher = dispatcher;
    this.#keys = keys;
    this.#ids = ids;
    this.#waits = waits;
  }

  async flush(writes: readonly Write[]): Promise<readonly (Written | Error)[]> {
    const count = writes.filter(({ numbered }) => numbered).length;
    const before = await this.#numberBefore(count);
    const calls = this.#calls(writes, before);
    // Only those that need a number fail for want of one.
    const results = calls.map((call): Written | Error | undefined => (call instanceof Error ? call : undefined));
    let reserving = count > 0 && !(before instanceof Error);
    if (reserving && !writes.every(({ tag }) => this.#ids.liesWith(tag))) {
      // Another node counts: who has a number waits for it no more.
      void this.#ids.reserveMore(count);
      reserving = false;
    }
    for (const wave of waves(writes)) {
      const own = wave.flatMap((at) => {
        const call = calls[at];
        return call === undefined || call instanceof Error ? [] : [{ at, call }];
      });
      const sent = own.map(({ call }) => call);
      const replies = await this.#dispatcher.settle(reserving ? [...sent, this.#ids.raise(count)] : sent);
      if (reserving) this.#ids.reserve(count, replies[own.length]);
      reserving = false;
      for (const [place, { at }] of own.entries()) results[at] = written(replies[place]);
    }
    // Only where it is needed: an error captures its stack.
    return Array.from(results, (result) => result ?? new StoreUnavailable("the batch gave no answer for this operation"));
  }

  async #numberBefore(count: number): Promise<number | Error> {
    try {
      return count === 0 ? 0 : await this.#ids.take(count);
    } catch (cause) {
      return cause instanceof Error ? cause : new StoreUnavailable("no number could be had", { cause });
    }
  }

  #calls(writes: readonly Write[], before: number | Error): readonly (Call | Error)[] {
    const batch = String(++this.#batches);
    const places = new Map<Tag, number>();
    let id = before;
    return writes.map((write): Call | Error => {
      const { numbered, tag, script, keys } = write;
      if (numbered) {
        if (id instanceof Error) return id;
        id++;
      }
      const place = places.get(tag) ?? 0;
      places.set(tag, place + 1);
      const args = [batch, String(place), this.#keep(tag), ...write.args(numbered && !(id instanceof Error) ? id : 0)];
      return { tag, script, keys: [...keys, this.#keys.of(tag, this.#journal)], args, durable: true };
    });
  }

  /** What lua/head.ts is told of the journal. */
  #keep(tag: Tag): string {
    const now = performance.now();
    const waits = this.#waits ? "wait" : "";
    if (now - (this.#keptAt.get(tag) ?? Number.NEGATIVE_INFINITY) < KEEP_AGAIN_MS) return waits;
    this.#keptAt.set(tag, now);
    return `keep ${waits}`;
  }
}

/** Places in the batch: each wave has a subject once. */
function waves(writes: readonly Write[]): readonly (readonly number[])[] {
  const all: number[][] = [];
  const depth = new Map<string, number>();
  for (const [at, { subject }] of writes.entries()) {
    const wave = depth.get(subject) ?? 0;
    depth.set(subject, wave + 1);
    const known = all[wave];
    if (known === undefined) all[wave] = [at];
    else known.push(at);
  }
  return all;
}

function written(reply: unknown): Written | Error {
  if (reply instanceof Error) return reply;
  const [word, row] = Array.isArray(reply) ? reply : [];
  const text = textOf(word);
  if (text === "" || text === "stale") return new StoreUnavailable("Redis gave an answer that is none of the script's");
  return { word: text, row };
}
