/**
 * Who lives (R2). One slot holds the heartbeats, judged on its Redis' clock; the rows lie in 64 others, and a script sees one slot only. So a
 * death takes two steps: it is written where the heartbeats are, from where on that epoch never beats again; then every shard is told, and
 * an epoch that a shard was told of owns nothing new there and loses what it had. The shard alone decides, in the script that takes a
 * lease, and it only ever holds as dead what can't come back:
 * - a live owner loses nothing to a claimer whose list of the living is old, since no list is consulted;
 * - whoever falls dead between two looks still holds what it held until the shard is told, which costs time and nothing else;
 * - a dead node that doesn't know it yet can take a lease in a shard that wasn't told yet. It makes no call with it (its own heartbeat is
 *   unconfirmed), every shard is told before the news counts as spread, and then the lease is as void as its others.
 * Who spreads the news may die on the way: an epoch stays `untold` until all shards have answered, and every heartbeat and claim of
 * every node looks there. A shard that forgot (a failover lost its last writes) is found by its own rows: their owner is neither alive nor
 * known to that shard as dead, and the news is spread again.
 */
import type { Millis, Owner } from "../../engine/transaction.js";
import type { Call, Dispatcher } from "./dispatch.js";
import { ALL_SHARDS, type Keys } from "./keys.js";
import { DOUBT, EPOCHS, FORGET, FORGOTTEN, HEARTBEAT, RETIRE, TELL, TOLD } from "./lua/epochs.js";
import type { Argument } from "./rows.js";
import { textOf } from "./rows.js";
import type { Script } from "./script.js";

/** How long an epoch that owns rows, and that nobody has heard of, may take to say that it lives. */
const DOUBT_MS = 10_000;

export class Nodes {
  readonly #dispatcher: Dispatcher;
  readonly #keys: Keys;
  readonly #slot: readonly string[];
  /** Epochs whose heartbeats went through here; only these lease anything (R2). */
  readonly #confirmed = new Set<string>();

  constructor(dispatcher: Dispatcher, keys: Keys) {
    this.#dispatcher = dispatcher;
    this.#keys = keys;
    this.#slot = ["alive", "dead", "untold"].map((name) => keys.of("nodes", name));
  }

  async heartbeat(epoch: string, leaseMs: Millis): Promise<boolean> {
    const [heard, ...untold] = texts(await this.#ask(HEARTBEAT, epoch, String(leaseMs)));
    if (heard === "1") this.#confirmed.add(epoch);
    else this.#confirmed.delete(epoch);
    // Who beats shouldn't wait for 64 shards; what fails here is spread by the next beat or claim.
    if (untold.length > 0) void this.spread(untold).catch(() => undefined);
    return heard === "1";
  }

  async retire(epoch: string): Promise<void> {
    this.#confirmed.delete(epoch);
    await this.#ask(RETIRE, epoch);
    await this.spread([epoch]);
  }

  /** The owner to ask a lease for: none, when its epoch never confirmed that it lives. */
  leasable(owner: Owner): Owner {
    return this.#confirmed.has(epochOf(owner)) ? owner : "";
  }

  look(): Call {
    return this.#call(EPOCHS);
  }

  looked(reply: unknown): { readonly alive: ReadonlySet<string>; readonly untold: readonly string[] } {
    const [alive, untold] = Array.isArray(reply) ? reply : [];
    return { alive: new Set(texts(alive)), untold: texts(untold) };
  }

  /** Every shard knows of these deaths when this resolves. */
  async spread(epochs: readonly string[]): Promise<void> {
    await this.#everywhere(TELL, epochs);
    const old = texts(await this.#ask(TOLD, ...epochs));
    // Deaths are rare, so this is where the old ones go; what fails here goes with the next.
    if (old.length > 0) await this.#forget(old).catch(() => undefined);
  }

  /** The shards first: whoever dies in between leaves the list for the next. */
  async #forget(epochs: readonly string[]): Promise<void> {
    await this.#everywhere(FORGET, epochs);
    await this.#ask(FORGOTTEN, ...epochs);
  }

  async #everywhere(script: Script, epochs: readonly string[]): Promise<void> {
    const calls = ALL_SHARDS.map((shard): Call => {
      return { tag: shard, script, keys: [this.#keys.index(shard)], args: epochs, durable: true };
    });
    await this.#dispatcher.all(calls);
  }

  async doubt(epochs: readonly string[]): Promise<void> {
    if (epochs.length > 0) await this.#ask(DOUBT, String(DOUBT_MS), ...epochs);
  }

  #ask(script: Script, ...args: Argument[]): Promise<unknown> {
    return this.#dispatcher.one(this.#call(script, ...args));
  }

  #call(script: Script, ...args: Argument[]): Call {
    return { tag: "nodes", script, keys: this.#slot, args };
  }
}

export function epochOf(owner: Owner): string {
  const end = owner.lastIndexOf(":");
  return end === -1 ? owner : owner.slice(0, end);
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}
