/**
 * What concerns many transactions at once: first every shard is asked what it has, then the best of all are taken where they lie, each only
 * if it is still as it was seen. So the order over all shards is exact, and each goes to one claimer only (R1).
 */
import type { Loaded, Millis, Owner } from "../../engine/transaction.js";
import { type Claim, type Claimed, StoreUnavailable } from "../store.js";
import type { Call, Dispatcher } from "./dispatch.js";
import { NotDone } from "./errors.js";
import { ALL_SHARDS, byOrder, type Candidate, candidate, type Keys, padded, WIDTH } from "./keys.js";
import { CLAIM } from "./lua/claim.js";
import { LATER } from "./lua/later.js";
import { MAKE_DUE } from "./lua/make-due.js";
import { OWNED } from "./lua/owned.js";
import { PEEK } from "./lua/peek.js";
import { ENDED, SWEEP } from "./lua/sweep.js";
import { DESTINATIONS, WAITING } from "./lua/waiting.js";
import { epochOf, type Nodes, texts } from "./nodes.js";
import { type Argument, loadedFrom, textOf } from "./rows.js";
import type { Script } from "./script.js";
import { type FirstOfAll, type Found, firstOfAll } from "./shares.js";
import type { NodeName } from "./topology.js";

/** In one script; a script holds up everybody else. */
const ROWS_PER_SCRIPT = 64;
/** What a sweep asks each shard for, at least. */
const SWEEP_AT_LEAST = 16;
/** A probe wants one of those that wait, and what it saw may be taken by a claim of what is due, from the same end. */
const LOOKS_AT_WAITING = 4;
/** So may what a wake-up saw, chunk after chunk of it. */
const LOOKS_TO_WAKE = 64;
/** How long no claim asks a node that refused one: what is due there is the oldest and would come first in every claim. */
const LEFT_OUT_MS = 10_000;

interface Seen extends Found {
  /** Due times of those next in line. */
  readonly next: readonly Millis[];
  /** Epochs that own something here and aren't known here to be dead. */
  readonly unsure: readonly string[];
}

/** Which shards are asked. */
type Among = (shard: number) => boolean;

export class Claims {
  readonly #dispatcher: Dispatcher;
  readonly #keys: Keys;
  readonly #nodes: Nodes;
  /** Nodes that no claim asks, and until when. */
  readonly #leftOut = new Map<NodeName, number>();

  constructor(dispatcher: Dispatcher, keys: Keys, nodes: Nodes) {
    this.#dispatcher = dispatcher;
    this.#keys = keys;
    this.#nodes = nodes;
  }

  async claimDue(claim: Claim): Promise<Claimed> {
    let { alive, untold, first } = await this.#peek(claim);
    if (untold.length > 0) {
      // A shard that can't be told now keeps what it has, and is told later.
      await this.#nodes.spread(untold).catch(() => undefined);
      ({ alive, first } = await this.#peek(claim));
    }
    const { found: seen, ordered: candidates } = first;
    await this.#nodes.doubt([...new Set(seen.flatMap(({ unsure }) => unsure))].filter((epoch) => !alive.has(epoch)));
    const chosen = alive.has(epochOf(claim.owner)) ? candidates.slice(0, claim.limit) : [];
    const waiting = [...candidates.slice(chosen.length).map(({ due }) => due), ...seen.flatMap(({ next }) => next)];
    return {
      claimed: await this.#take(chosen, claim, ""),
      nextDue: waiting.length === 0 ? null : waiting.reduce((a, b) => Math.min(a, b)),
    };
  }

  async claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]> {
    if (destination === "" || claim.limit <= 0) return [];
    const looked = await this.#dispatcher.one(this.#nodes.look());
    const { alive, untold } = this.#nodes.looked(looked);
    if (untold.length > 0) await this.#nodes.spread(untold).catch(() => undefined);
    if (!alive.has(epochOf(claim.owner))) return [];
    for (let look = 1; ; look++) {
      const waiting = await this.#waiting(destination, claim.limit, this.#willing());
      const taken = await this.#take(waiting, claim, destination);
      if (taken.length > 0 || waiting.length === 0 || look === LOOKS_AT_WAITING) return taken;
    }
  }

  async wakeWaiting(destination: string, limit: number, at: Millis): Promise<number> {
    if (destination === "") return 0;
    let woken = 0;
    const refusing = new Set<NodeName>();
    let refusal: Error | null = null;
    // Fewer than the limit says that nobody is left, so what was taken meanwhile makes room for others (R13).
    for (let look = 1; woken < limit && look <= LOOKS_TO_WAKE; look++) {
      const asked = limit - woken;
      const waiting = await this.#waiting(destination, asked, (shard) => !refusing.has(this.#dispatcher.nodeOf(shard)));
      const calls = this.#perShard(MAKE_DUE, waiting, [String(at), destination, ""], false).map(({ call }) => call);
      const replies = await this.#dispatcher.settle(calls);
      for (const [place, { tag }] of calls.entries()) {
        const reply = replies[place];
        if (reply instanceof Error) {
          refusal = reply;
          refusing.add(this.#dispatcher.nodeOf(tag));
        } else woken += Number(reply);
      }
      // Behind what a node refused, others may have some that wait.
      if (waiting.length < asked && !replies.some((reply) => reply instanceof Error)) break;
    }
    if (woken < limit && refusal !== null) throw refusal;
    return woken;
  }

  async resetDue({ after, at, limit }: { readonly after: Millis; readonly at: Millis; readonly limit: number }): Promise<{
    readonly count: number;
    readonly remaining: boolean;
  }> {
    const found = await this.#everywhere(LATER, (shard) => [padded(after + 1), String(limit + 1), this.#rows(shard)]);
    const later = found.flatMap(({ shard, reply }) =>
      texts(reply).map((text) => ({ shard, order: text.slice(0, WIDTH), gid: text.slice(WIDTH) })),
    );
    const chosen = later.sort(byOrder).slice(0, limit);
    const count = await this.#counted(MAKE_DUE, chosen, [String(at), "", String(after)]);
    return { count, remaining: later.length > chosen.length };
  }

  async waitingDestinations(atLeast: number): Promise<readonly string[]> {
    const counts = new Map<string, number>();
    for (const { reply } of await this.#everywhere(DESTINATIONS, () => [])) {
      const said = texts(reply);
      for (let at = 0; at < said.length; at += 2) {
        const name = said[at] ?? "";
        counts.set(name, (counts.get(name) ?? 0) + Number(said[at + 1]));
      }
    }
    return [...counts].filter(([, count]) => count >= atLeast).map(([destination]) => destination);
  }

  async ownedBy(owner: Owner): Promise<readonly Loaded[]> {
    if (owner === "") return [];
    const found: Loaded[] = [];
    for (const { reply } of await this.#everywhere(OWNED, (shard) => [owner, this.#rows(shard)])) {
      if (!Array.isArray(reply)) continue;
      for (let at = 0; at < reply.length; at += 2) {
        const loaded = loadedFrom(textOf(reply[at]), reply[at + 1]);
        if (loaded !== null) found.push(loaded);
      }
    }
    return found.sort((a, b) => a.transaction.id - b.transaction.id);
  }

  async sweep({ endedBefore, limit }: { readonly endedBefore: Millis; readonly limit: number }): Promise<number> {
    const before = padded(endedBefore);
    let removed = 0;
    for (;;) {
      const share = Math.min(limit - removed, Math.max(SWEEP_AT_LEAST, Math.ceil((limit - removed) / 16)));
      if (share <= 0) return removed;
      const found = await this.#everywhere(ENDED, () => [before, String(share)]);
      const ended = found.flatMap(({ shard, reply }) => texts(reply).map((gid) => ({ shard, gid })));
      const count = await this.#counted(SWEEP, ended.slice(0, limit - removed), [before]);
      removed += count;
      // Another node sweeps the same rows, or nothing is left.
      if (count === 0 || found.every(({ reply }) => texts(reply).length < share)) return removed;
    }
  }

  async #peek({ now, limit }: Claim): Promise<{
    readonly alive: ReadonlySet<string>;
    readonly untold: readonly string[];
    readonly first: FirstOfAll<Seen>;
  }> {
    const argsOf = (shard: number, share: string): readonly Argument[] => [
      share,
      padded(now),
      padded(now + 1),
      this.#rows(shard),
    ];
    const [looked, first] = await Promise.all([
      this.#dispatcher.one(this.#nodes.look()),
      this.#firstPresent({ limit, among: this.#willing() }, PEEK, argsOf, seenIn),
    ]);
    return { ...this.#nodes.looked(looked), first };
  }

  async #waiting(destination: string, limit: number, among: Among): Promise<readonly Candidate[]> {
    const { ordered } = await this.#firstPresent(
      { limit, among },
      WAITING,
      (_, share) => [destination, share],
      (reply, shard) => ({
        shard,
        lists: [texts(reply).map((text) => candidate(text, shard))],
      }),
    );
    return ordered.slice(0, limit);
  }

  /** Of a Cluster one node may be away: what the others have is found all the same. */
  async #firstPresent<T extends Found>(
    { limit, among }: { readonly limit: number; readonly among: Among },
    script: Script,
    argsOf: (shard: number, share: string) => readonly Argument[],
    read: (reply: unknown, shard: number) => T,
  ): Promise<FirstOfAll<T>> {
    let away: Error | null = null;
    const first = await firstOfAll(limit, async (all, share) => {
      const shards = all.filter(among);
      const calls = shards.map((shard): Call => {
        return { tag: shard, script, keys: [this.#keys.index(shard)], args: argsOf(shard, String(share)) };
      });
      const replies = await this.#dispatcher.settle(calls);
      return shards.flatMap((shard, at) => {
        const reply = replies[at];
        if (!(reply instanceof Error)) return [read(reply, shard)];
        away = reply;
        return [];
      });
    });
    if (first.found.length === 0 && away !== null) throw away;
    return first;
  }

  /** Leaves out nodes that refused a claim a moment ago, as long as others are left. */
  #willing(): Among {
    for (const [node, until] of this.#leftOut) if (until <= performance.now()) this.#leftOut.delete(node);
    const willing = (shard: number): boolean => !this.#leftOut.has(this.#dispatcher.nodeOf(shard));
    return ALL_SHARDS.some(willing) ? willing : () => true;
  }

  /**
   * A node of a Cluster may answer reads and refuse writes: what the others gave is claimed all the same. Where a claim may have happened
   * the whole of it fails, and is read back by its owner, with what the others gave (R7).
   */
  async #claimed(calls: readonly Call[]): Promise<readonly unknown[]> {
    const replies = await this.#dispatcher.settle(calls);
    const failures = replies.filter((reply) => reply instanceof Error);
    for (const [at, { tag }] of calls.entries())
      if (replies[at] instanceof Error) this.#leftOut.set(this.#dispatcher.nodeOf(tag), performance.now() + LEFT_OUT_MS);
    const failure = failures.find((one) => !(one instanceof NotDone)) ?? (failures.length === calls.length ? failures[0] : null);
    if (failure) throw failure;
    return replies;
  }

  /** In the order given; what somebody else took meanwhile is left out. */
  async #take(chosen: readonly Candidate[], { owner, now }: Claim, destination: string): Promise<readonly Loaded[]> {
    const calls = this.#perShard(CLAIM, chosen, [owner, String(now), destination], true, ({ order }) => [order]);
    const taken = new Map<string, Loaded>();
    for (const [at, reply] of (await this.#claimed(calls.map(({ call }) => call))).entries()) {
      // It is sure that this one took nothing.
      if (reply instanceof NotDone) continue;
      const gids = calls[at]?.gids ?? [];
      const rows = rowsIn(reply, gids.length);
      for (const [place, gid] of gids.entries()) {
        const loaded = loadedFrom(gid, rows[place]);
        if (loaded !== null) taken.set(gid, loaded);
      }
    }
    return chosen.flatMap(({ gid }) => taken.get(gid) ?? []);
  }

  async #counted(
    script: Script,
    chosen: readonly { readonly shard: number; readonly gid: string }[],
    args: readonly string[],
  ): Promise<number> {
    const calls = this.#perShard(script, chosen, args, false);
    const replies = await this.#dispatcher.all(calls.map(({ call }) => call));
    return replies.reduce<number>((sum, reply) => sum + Number(reply), 0);
  }

  /** `also`: what the script is told of each behind all gids. */
  #perShard<T extends { readonly shard: number; readonly gid: string }>(
    script: Script,
    chosen: readonly T[],
    args: readonly string[],
    durable: boolean,
    also: (one: T) => readonly string[] = () => [],
  ): readonly { readonly gids: readonly string[]; readonly call: Call }[] {
    const byShard = new Map<number, T[]>();
    for (const one of chosen) {
      const same = byShard.get(one.shard);
      if (same === undefined) byShard.set(one.shard, [one]);
      else same.push(one);
    }
    return [...byShard].flatMap(([shard, all]) =>
      chunks(all, ROWS_PER_SCRIPT).map((rows) => {
        const gids = rows.map(({ gid }) => gid);
        const keys = [this.#keys.index(shard), ...gids.map((gid) => this.#keys.row(gid))];
        return { gids, call: { tag: shard, script, keys, args: [...args, ...gids, ...rows.flatMap(also)], durable } };
      }),
    );
  }

  #everywhere(
    script: Script,
    argsOf: (shard: number) => readonly Argument[],
  ): Promise<readonly { readonly shard: number; readonly reply: unknown }[]> {
    return this.#each(ALL_SHARDS, script, argsOf);
  }

  async #each(
    shards: readonly number[],
    script: Script,
    argsOf: (shard: number) => readonly Argument[],
  ): Promise<readonly { readonly shard: number; readonly reply: unknown }[]> {
    const calls = shards.map((shard): Call => {
      return { tag: shard, script, keys: [this.#keys.index(shard)], args: argsOf(shard) };
    });
    const replies = await this.#dispatcher.all(calls);
    return shards.map((shard, at) => ({ shard, reply: replies[at] }));
  }

  #rows(shard: number): string {
    return this.#keys.of(shard, "t:");
  }
}

function seenIn(reply: unknown, shard: number): Seen {
  const [undo, other, nextUndo, nextOther, left, unsure] = Array.isArray(reply) ? reply : [];
  const lists = [undo, other, left].map((list) => texts(list).map((text) => candidate(text, shard)));
  const next = [nextUndo, nextOther].map(textOf).filter((text) => text !== "");
  return { shard, lists, next: next.map((text) => candidate(text, shard).due), unsure: texts(unsure) };
}

/** What the claim's script answers. Anything else tells nothing of whose the rows are now, and they may be ours (R7). */
function rowsIn(reply: unknown, count: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === count && reply.every(Array.isArray)) return reply;
  throw new StoreUnavailable("Redis gave an answer that is none of the claim's");
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}
