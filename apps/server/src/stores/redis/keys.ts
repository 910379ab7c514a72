/**
 * Names of keys. Everything of one transaction lies in one of 64 shards, and a shard in one slot: its number is the hash tag, so that one
 * script sees a row together with its index and neither can part from the other (rules.md R26). README.md has the whole layout.
 */

/** Fixed at the first start on a database and stored there: another count would look for rows in the wrong place. */
export const SHARDS = 64;

/** A part of the data that lies in one slot: a shard's number, or what all nodes share. */
export type Tag = number | "kv" | "nodes" | "meta";

export class Keys {
  constructor(readonly prefix: string) {}

  /** `name` is one of the few keys of that tag. */
  of(tag: Tag, name: string): string {
    return `{${this.prefix}:${tag}}:${name}`;
  }

  row(gid: string): string {
    return this.of(shardOf(gid), `t:${gid}`);
  }

  index(shard: number): string {
    return this.of(shard, "index");
  }
}

/** FNV-1a over UTF-16 units. Stored data depends on it: it must never change. */
export function shardOf(gid: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < gid.length; place++) hash = Math.imul(hash ^ gid.charCodeAt(place), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

export const ALL_SHARDS: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);

export const TAGS: readonly Tag[] = [...ALL_SHARDS, "kv", "nodes", "meta"];

/** Numbers in index entries have one width, so that the order of the texts is the order of the numbers. */
export const WIDTH = 16;

export function padded(value: number): string {
  return String(Math.max(0, Math.trunc(value))).padStart(WIDTH, "0");
}

/**
 * The index of a shard is one sorted set whose scores are all zero, so that its entries stand in the order of their texts. Its kinds:
 *   l<status><type><id><gid>                    every transaction, for listing
 *   d<urgency><due><id><gid>                    unfinished ones that rest
 *   w<destination>NUL<urgency><due><id><gid>    those of them that wait for a destination
 *   o<epoch>NUL<claim>NUL<id><gid>              unfinished ones that are driven
 *   e<end><id><gid>                             finished ones; behind the end when they were imported
 *   x<epoch>                                    epochs known to be dead (nodes.ts)
 * Statuses and types are one letter, unfinished statuses first; urgency is 0 for what is being undone, 1 otherwise. lua/head.ts writes it.
 */
export const STATUS_LETTERS = { prepared: "a", submitted: "b", aborting: "c", succeed: "d", failed: "e" } as const;
export const TYPE_LETTERS = { saga: "a", msg: "b", tcc: "c", xa: "d", workflow: "e" } as const;

/** `<urgency><due><id><gid>`: how what may be claimed is ordered, over all shards. */
export interface Candidate {
  readonly shard: number;
  readonly gid: string;
  readonly due: number;
  readonly order: string;
}

export function candidate(text: string, shard: number): Candidate {
  const end = 1 + 2 * WIDTH;
  return { shard, gid: text.slice(end), due: Number(text.slice(1, 1 + WIDTH)), order: text.slice(0, end) };
}

export function byOrder(a: { readonly order: string }, b: { readonly order: string }): number {
  return a.order < b.order ? -1 : a.order > b.order ? 1 : 0;
}
