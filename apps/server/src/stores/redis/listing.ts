/** Exact listings over all shards, newest first, by cursor; and the count of what is unfinished. */
import type { Transaction } from "../../engine/transaction.js";
import type { ListFilter, Page, StuckAsk, Summary } from "../store.js";
import type { Call, Dispatcher } from "./dispatch.js";
import { ALL_SHARDS, type Keys, padded, STATUS_LETTERS, shardOf, TYPE_LETTERS, WIDTH } from "./keys.js";
import { LIST } from "./lua/list.js";
import { SUMMARY } from "./lua/summary.js";
import { texts } from "./nodes.js";
import { TRANSACTION_FIELDS, textOf, transactionFromValues } from "./rows.js";

/** Entries that one script looks at: with a filter most may not fit, without one each is wanted. */
const FILTERED_CHUNK = 500;
const SUMMARY_CHUNK = 500;

interface Shard {
  readonly shard: number;
  /** What was read and isn't listed yet, newest first: `<id><gid>`. */
  entries: string[];
  /** Where to read on; null at the end. */
  below: string | null;
}

export class Listing {
  readonly #dispatcher: Dispatcher;
  readonly #keys: Keys;

  constructor(dispatcher: Dispatcher, keys: Keys) {
    this.#dispatcher = dispatcher;
    this.#keys = keys;
  }

  async list(filter: ListFilter): Promise<Page> {
    const { position = "", limit } = filter;
    if (position !== "" && !/^\d{1,15}$/.test(position)) return { transactions: [], nextPosition: "" };
    const entries = await this.#newest(filter, position === "" ? "" : padded(Number(position)), limit + 1);
    const shown = entries.slice(0, limit);
    const rows = await this.#rows(shown.map((entry) => entry.slice(WIDTH)));
    const last = shown.at(-1);
    const more = entries.length > limit && last !== undefined;
    return { transactions: rows, nextPosition: more ? String(Number(last.slice(0, WIDTH))) : "" };
  }

  /** The newest of each shard, merged: whichever runs out is asked again before anything older is taken. */
  async #newest(filter: ListFilter, below: string, wanted: number): Promise<string[]> {
    const shards = ALL_SHARDS.map((shard): Shard => ({ shard, entries: [], below }));
    const filtered = filter.gidPrefix !== undefined || filter.createdFrom !== undefined || filter.createdTo !== undefined;
    const chunk = filtered ? FILTERED_CHUNK : Math.ceil((wanted * 2) / shards.length) + 4;
    const found: string[] = [];
    for (;;) {
      await this.#readOn(shards, filter, chunk);
      while (found.length < wanted) {
        if (shards.some((one) => one.entries.length === 0 && one.below !== null)) break;
        const newest = shards.reduce((a, b) => ((b.entries[0] ?? "") > (a.entries[0] ?? "") ? b : a));
        const entry = newest.entries.shift();
        if (entry === undefined) return found;
        found.push(entry);
      }
      if (found.length >= wanted) return found;
    }
  }

  async #readOn(shards: readonly Shard[], filter: ListFilter, chunk: number): Promise<void> {
    const { gidPrefix = "", createdFrom, createdTo } = filter;
    const statuses = filter.status === undefined ? Object.values(STATUS_LETTERS) : [STATUS_LETTERS[filter.status]];
    const types = filter.type === undefined ? Object.values(TYPE_LETTERS) : [TYPE_LETTERS[filter.type]];
    const kinds = statuses.flatMap((status) => types.map((type) => `${status}${type}`));
    const empty = shards.filter((one) => one.entries.length === 0 && one.below !== null);
    const calls = empty.map(({ shard, below }): Call => {
      const wanted = [below ?? "", String(chunk), gidPrefix, numberText(createdFrom), numberText(createdTo)];
      const args = [...wanted, this.#keys.of(shard, "t:"), ...kinds];
      return { tag: shard, script: LIST, keys: [this.#keys.index(shard)], args };
    });
    const replies = await this.#dispatcher.all(calls);
    for (const [at, one] of empty.entries()) {
      const [below = "", ...entries] = texts(replies[at]);
      one.entries = entries;
      one.below = below === "" ? null : below;
    }
  }

  /** What was swept since it was listed is left out. */
  async #rows(gids: readonly string[]): Promise<Transaction[]> {
    const calls = gids.map((gid): Call => {
      return { tag: shardOf(gid), command: "HMGET", keys: [this.#keys.row(gid)], args: TRANSACTION_FIELDS };
    });
    const replies = await this.#dispatcher.all(calls);
    return gids.flatMap((gid, at) => {
      const values: unknown = replies[at];
      return transactionFromValues(gid, Array.isArray(values) ? values : []) ?? [];
    });
  }

  async summary(ask: StuckAsk): Promise<Summary> {
    const total: { unfinished: number; oldest: number | null; stuck: number } = { unfinished: 0, oldest: null, stuck: 0 };
    const limits = [SUMMARY_CHUNK, ask.stuckRefusals, ask.overdueBefore].map(String);
    const attempts = Object.entries(ask.stuckAttempts).flat().map(String);
    let open = ALL_SHARDS.map((shard) => ({ shard, behind: "" }));
    while (open.length > 0) {
      const calls = open.map(({ shard, behind }): Call => {
        const args = [behind, ...limits, this.#keys.of(shard, "t:"), ...attempts];
        return { tag: shard, script: SUMMARY, keys: [this.#keys.index(shard)], args };
      });
      const replies = await this.#dispatcher.all(calls);
      const left: typeof open = [];
      for (const [at, { shard }] of open.entries()) {
        const [count, oldest = "", stuck, behind = ""] = texts(replies[at]);
        total.unfinished += Number(count);
        total.stuck += Number(stuck);
        if (oldest !== "") total.oldest = Math.min(total.oldest ?? Number.POSITIVE_INFINITY, Number(oldest));
        if (behind !== "") left.push({ shard, behind });
      }
      open = left;
    }
    return total;
  }
}

function numberText(value: number | undefined): string {
  return value === undefined ? "" : textOf(value);
}
