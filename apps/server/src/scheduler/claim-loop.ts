/**
 * Takes up what is due and owned by nobody alive, in batches, as far as there is room. It looks every `transCronInterval`, and
 * earlier when something said that it will be due; such hints are only hints, the claim itself decides (R3).
 */
import type { Clock } from "../engine/clock.js";
import type { Log } from "../engine/coordinator.js";
import { type Engine, LOOK_AGAIN_AFTER } from "../engine/engine.js";
import type { Loaded, Millis, Owner } from "../engine/transaction.js";
import type { TransactionStore } from "../stores/store.js";

const BATCH = 256;
/** Hints beyond this and the next regular look are left to it. */
const HINT_WITHIN: Millis = 60_000;
const MOST_PASSES = 10_000;
/** From a millisecond to a minute. */
const MOST_DOUBLINGS = 16;
/**
 * A store that stays down would gather ever more claims to be read back. One is no reason to claim nothing: of a Cluster a single node may be
 * away, and the claim's rows lie elsewhere.
 */
const MOST_UNREAD = 4;

export class ClaimLoop {
  #next: Millis = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => undefined;
  #looking: Promise<void> | null = null;
  #again = false;
  #running = false;
  /** Looks in a row that found something due and got none of it. */
  #inVain = 0;
  /** Nudged here: their first call goes through an open breaker (R13). */
  readonly #passes = new Set<string>();
  readonly #readBacks = new Set<() => void>();
  /** Claims that couldn't be read back yet. */
  readonly #unread = new Set<Owner>();

  constructor(
    private readonly parts: {
      readonly store: TransactionStore;
      readonly engine: Engine;
      readonly clock: Clock;
      readonly log: Log;
      readonly intervalMs: Millis;
      /** Told how late a due transaction was claimed. */
      readonly lag?: (millis: Millis) => void;
    },
  ) {}

  start(): void {
    this.#running = true;
    this.look();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel();
    for (const cancel of this.#readBacks) cancel();
    await this.#looking;
  }

  dueAt(at: Millis): void {
    const now = this.parts.clock.now();
    if (at <= now) this.look();
    else if (at - now <= Math.max(HINT_WITHIN, this.parts.intervalMs)) this.#lookAt(at);
  }

  /** Somebody asked for this one: wake up, and let its first call through. */
  nudged(gid: string): void {
    // What another node took up, or had ended, never asks for its pass: the oldest make room.
    for (const oldest of this.#passes) {
      if (this.#passes.size < MOST_PASSES) break;
      this.#passes.delete(oldest);
    }
    this.#passes.add(gid);
    this.look();
  }

  look(): void {
    if (!this.#running) return;
    if (this.#looking !== null) {
      this.#again = true;
      return;
    }
    this.#cancel();
    this.#next = Number.POSITIVE_INFINITY;
    this.#looking = this.#claim().finally(() => {
      this.#looking = null;
      if (this.#again) {
        this.#again = false;
        this.look();
      }
    });
  }

  async #claim(): Promise<void> {
    const { store, engine, clock, log, intervalMs } = this.parts;
    this.#lookAt(clock.now() + intervalMs);
    if (this.unreadable) return;
    const limit = engine.reservePlaces(BATCH);
    if (limit === 0) return;
    const owner = engine.newOwner();
    const now = clock.now();
    try {
      const { claimed, nextDue } = await store.claimDue({ owner, limit, now });
      this.#begin(claimed, owner, now);
      if (claimed.length === limit) this.#again = true;
      else if (nextDue !== null) this.dueAt(Math.max(nextDue, clock.now() + this.#pause(claimed.length > 0 || nextDue > now)));
    } catch (cause) {
      log.warn({ err: cause }, "claim failed; looking again later");
      await this.readBack(owner);
    } finally {
      engine.releasePlaces(limit);
    }
  }

  /** What is due and can't be claimed, since somebody holds its row, is asked for ever less often. */
  #pause(gotOn: boolean): Millis {
    this.#inVain = gotOn ? 0 : Math.min(this.#inVain + 1, MOST_DOUBLINGS);
    return Math.min(2 ** this.#inVain, this.parts.intervalMs);
  }

  /** Nothing more is claimed until some of it is read back. */
  get unreadable(): boolean {
    return this.#unread.size >= MOST_UNREAD;
  }

  /** The claim may have happened though its reply was lost, or may still happen (R7). */
  async readBack(owner: Owner, looks = 0): Promise<void> {
    const { store, clock, intervalMs } = this.parts;
    try {
      const found = await store.ownedBy(owner);
      this.#begin(found, owner, clock.now());
      const again = LOOK_AGAIN_AFTER[looks];
      if (found.length === 0 && again !== undefined) this.#readBackAfter(again, owner, looks + 1);
      if (this.#unread.delete(owner)) this.look();
    } catch {
      this.#unread.add(owner);
      this.#readBackAfter(intervalMs, owner, looks);
    }
  }

  #readBackAfter(delay: Millis, owner: Owner, looks: number): void {
    const cancel = this.parts.clock.after(delay, () => {
      this.#readBacks.delete(cancel);
      if (this.#running) void this.readBack(owner, looks);
    });
    this.#readBacks.add(cancel);
  }

  #begin(claimed: readonly Loaded[], owner: Owner, now: Millis): void {
    for (const loaded of claimed) {
      const { gid, nextCronTime } = loaded.transaction;
      this.parts.lag?.(Math.max(0, now - nextCronTime));
      this.parts.engine.begin({ loaded, owner, fresh: false, pass: this.#passes.delete(gid) });
    }
  }

  #lookAt(at: Millis): void {
    if (!this.#running || at >= this.#next) return;
    this.#cancel();
    this.#next = at;
    this.#cancel = this.parts.clock.after(at - this.parts.clock.now(), () => {
      this.#next = Number.POSITIVE_INFINITY;
      this.look();
    });
  }
}
