/**
 * The drives of this process: starts them, bounds them, answers who waits for them, and takes back what a store failure left
 * in doubt. Which transactions are due is the scheduler's question.
 */

import type { Participants } from "../participants/participant.js";
import type { TransactionStore } from "../stores/store.js";
import type { Clock } from "./clock.js";
import type { Log, Telemetry } from "./coordinator.js";
import type { Destinations } from "./destinations.js";
import { type AlertEvent, Drive, type DriveContext, type DriveStart, type Ended, patienceMs } from "./drive.js";
import type { EngineSettings } from "./settings.js";
import { isFinal, type Loaded, type Millis, type Owner, type Transaction } from "./transaction.js";
import { TransientMap } from "./transient-map.js";

export interface EngineParts {
  readonly store: TransactionStore;
  readonly participants: Participants;
  readonly destinations: Destinations;
  readonly clock: Clock;
  readonly settings: EngineSettings;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly alert: (event: AlertEvent) => void;
  readonly random: () => number;
  /** A fresh, never repeated name of this process; asked again when the epoch was declared dead. */
  readonly newEpoch: () => string;
}

/** Told by the engine, so that the scheduler looks when it pays. */
export interface EngineEvents {
  /** Something rests until then, or there is room again. */
  dueAt(at: Millis): void;
  /** It rests for a destination that answers again already. */
  missed(destination: string): void;
}

/** What a waiting caller learns (R11): how the drive ended, or `running` when its patience did. */
export type Waited = Ended | { readonly kind: "running"; readonly transaction: Transaction };

const RECOVERY_AT_LEAST: Millis = 1_000;
/** A write whose reply was lost may land long after it was looked for, and nobody else takes up what a live node owns. */
export const LOOK_AGAIN_AFTER: readonly Millis[] = [5_000, 30_000, 120_000];
const WATCH_EVERY: Millis = 200;

export class Engine {
  readonly #parts: EngineParts;
  readonly #context: DriveContext;
  readonly #drives = new TransientMap<string, Running>();
  #epoch: string;
  #claims = 0;
  /** When the last confirmed heartbeat was sent; none is confirmed for a new epoch. */
  #heardAt: Millis = Number.NEGATIVE_INFINITY;
  #stopping = false;
  #starved = false;
  #reserved = 0;
  #events: EngineEvents = { dueAt: () => undefined, missed: () => undefined };
  #idle: (() => void) | null = null;
  /** Leases whose drive is not under way though they may be ours, by gid. */
  readonly #recoveries = new Map<string, Map<Owner, Recovery>>();
  readonly #watchers = new TransientMap<string, Set<Watcher>>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#epoch = parts.newEpoch();
    this.#context = {
      ...parts,
      mayCall: () => !parts.store.shared || parts.clock.monotonic() - this.#heardAt < parts.settings.leaseMs - 1_000,
      stopping: () => this.#stopping,
    };
  }

  get epoch(): string {
    return this.#epoch;
  }

  get driving(): number {
    return this.#drives.size;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  listen(events: EngineEvents): void {
    this.#events = events;
  }

  /** Fresh for every claim, so that an old loop of this very process is fenced too (R1). */
  newOwner(): Owner {
    return `${this.#epoch}:${++this.#claims}`;
  }

  /** The owner of a drive to come, whose place is kept until `release`; "" when there is no room (R17). */
  reserve(): Owner {
    return this.reservePlaces(1) === 0 ? "" : this.newOwner();
  }

  /** The drive began, or never will. */
  release(owner: Owner): void {
    if (owner !== "") this.releasePlaces(1);
  }

  /** For a claim under way: how many places are kept for what it brings, at most `most`. */
  reservePlaces(most: number): number {
    const places = Math.min(this.room(), most);
    this.#reserved += places;
    return places;
  }

  releasePlaces(places: number): void {
    this.#reserved -= places;
    this.#lookIfStarved();
  }

  /** How many more may be driven now, none while this node may be dead to the others; at 0 a submit is stored unowned and due (R17). */
  room(): number {
    if (this.#stopping || !this.#context.mayCall()) return 0;
    const room = Math.max(0, this.#parts.settings.maxDriving - this.#drives.size - this.#reserved);
    this.#starved ||= room === 0;
    return room;
  }

  /** The heartbeat sent at `sentAt` (monotonic) was confirmed. */
  heard(sentAt: Millis): void {
    this.#heardAt = sentAt;
  }

  /** Declared dead by the store: whatever we drove is claimed by others; this process goes on as a new epoch (R2). */
  epochDied(): void {
    this.#parts.log.warn({ epoch: this.#epoch }, "epoch was declared dead");
    for (const { drive } of this.#drives.values()) drive.lose();
    this.#epoch = this.#parts.newEpoch();
    this.#heardAt = Number.NEGATIVE_INFINITY;
  }

  /** Drives what this node just leased; what a dead epoch of ours leased is left to whoever claims it (R2). */
  begin(start: DriveStart): void {
    if (!start.owner.startsWith(`${this.#epoch}:`)) return;
    const { gid } = start.loaded.transaction;
    const drive = new Drive(this.#context, start);
    const running: Running = { drive, ended: drive.run() };
    this.#drives.set(gid, running);
    void running.ended.then((ended) => this.#finish(gid, running, ended));
  }

  /** It was ended by force: the drive of this process starts nothing more (R5). */
  drop(gid: string): void {
    this.#drives.get(gid)?.drive.lose();
  }

  /** The node may own it without knowing, since a reply of the store was lost: read it back later and go on (R7). */
  recover(gid: string, owner: Owner, when: { readonly at: Millis; readonly notBefore: Millis }, looks = 0): void {
    if (this.#stopping) return;
    const { clock } = this.#parts;
    const recoveries = this.#recoveries.get(gid) ?? new Map<Owner, Recovery>();
    recoveries.get(owner)?.cancel();
    const recover = (): void => {
      recoveries.delete(owner);
      if (recoveries.size === 0) this.#recoveries.delete(gid);
      void this.#recoverNow(gid, owner, looks);
    };
    const cancel = clock.after(Math.max(RECOVERY_AT_LEAST, when.at - clock.now()), recover);
    this.#recoveries.set(gid, recoveries.set(owner, { notBefore: when.notBefore, looks, recover, cancel }));
  }

  /** Somebody asked for this one: where its drive broke off here, it goes on as soon as none of its calls can be out (R4, R5). */
  hasten(gid: string): void {
    if (this.#stopping) return;
    for (const [owner, { notBefore, looks, recover, cancel }] of [...(this.#recoveries.get(gid) ?? [])]) {
      if (notBefore > this.#parts.clock.now()) {
        this.recover(gid, owner, { at: notBefore, notBefore }, looks);
        continue;
      }
      cancel();
      recover();
    }
  }

  /** For a waiting caller: the first of drive's end or patience over; another node's drive is watched through the store (R11). */
  async wait(transaction: Transaction): Promise<Waited> {
    const { gid } = transaction;
    const watcher: Watcher = { ended: null, wake: () => undefined };
    const watchers = this.#watchers.get(gid) ?? new Set();
    this.#watchers.set(gid, watchers.add(watcher));
    try {
      return await this.#watch(transaction, watcher);
    } finally {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#watchers.delete(gid);
    }
  }

  async #watch(transaction: Transaction, watcher: Watcher): Promise<Waited> {
    const { clock, settings } = this.#parts;
    const { gid } = transaction;
    const patience = patienceMs(transaction, settings.types[transaction.type]);
    const until = clock.monotonic() + patience;
    for (;;) {
      // Another node goes on with what was lost, or it was ended by force: the store tells.
      if (watcher.ended !== null && watcher.ended.kind !== "lost") return watcher.ended;
      watcher.ended = null;
      const drive = this.#drives.get(gid)?.drive;
      const left = (drive === undefined ? until : drive.startedAt + patience) - clock.monotonic();
      if (drive !== undefined) {
        if (left <= 0) {
          await drive.flush();
          return { kind: "running", transaction: drive.transaction };
        }
        await this.#sleep(watcher, left);
        continue;
      }
      const stored = (await this.#parts.store.find(gid))?.transaction;
      if (watcher.ended !== null) continue;
      if (stored === undefined) return { kind: "lost" };
      if (isFinal(stored.status)) return { kind: "final", transaction: stored };
      const rested = { kind: "rested", transaction: stored, due: stored.nextCronTime, answer: null } as const;
      if (this.#stopping) return { ...rested, why: "stopped" };
      // What was asked for made it due, so a rest that is stored now is a drive's that came after.
      if (stored.owner === "" && stored.nextCronTime > clock.now()) return { ...rested, why: "pace" };
      if (left <= 0) return { kind: "running", transaction: stored };
      await this.#sleep(watcher, Math.min(WATCH_EVERY, left));
    }
  }

  /** Before the transports stop: no new call, drives hand back as their calls end, waiting callers hear of it (R18). */
  beginStop(): void {
    this.#stopping = true;
    for (const { drive } of this.#drives.values()) drive.notice();
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.wake();
  }

  /** Waits for the calls in flight, then rests what is left, due when those calls have surely ended. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.beginStop();
    for (const recoveries of this.#recoveries.values()) for (const { cancel } of recoveries.values()) cancel();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    const handOver = (): void => {
      for (const { drive } of this.#drives.values()) drive.handOver();
    };
    if (deadline.aborted) handOver();
    else deadline.addEventListener("abort", handOver, { once: true });
    if (this.#drives.size > 0) await idle;
    deadline.removeEventListener("abort", handOver);
  }

  #finish(gid: string, running: Running, ended: Ended): void {
    const { drive } = running;
    const { telemetry, clock, log } = this.#parts;
    if (this.#drives.get(gid) === running) this.#drives.delete(gid);
    const seconds = (clock.now() - drive.transaction.createTime) / 1000;
    telemetry.drove(drive.transaction.type, ended.kind === "broken", seconds);
    if (ended.kind === "broken") {
      log.error({ gid, err: ended.cause }, "drive broke off");
      this.recover(gid, drive.owner, { at: ended.retryAt, notBefore: ended.callsEndAt });
    }
    if (ended.kind === "rested") this.#rested(ended);
    for (const watcher of this.#watchers.get(gid) ?? []) {
      watcher.ended = ended;
      watcher.wake();
    }
    this.#lookIfStarved();
    if (this.#drives.size === 0) this.#idle?.();
  }

  #lookIfStarved(): void {
    if (!this.#starved) return;
    this.#starved = false;
    this.#events.dueAt(this.#parts.clock.now());
  }

  #rested(ended: Extract<Ended, { kind: "rested" }>): void {
    const { waitingOn } = ended.transaction;
    if (ended.why === "deferred" && waitingOn !== "" && !this.#parts.destinations.isOpen(waitingOn))
      this.#events.missed(waitingOn);
    this.#events.dueAt(ended.due);
  }

  async #recoverNow(gid: string, owner: Owner, looks: number): Promise<void> {
    const { clock, log, settings, store } = this.#parts;
    try {
      const found = await store.find(gid);
      const ours = found !== null && found.transaction.owner === owner && !isFinal(found.transaction.status);
      if (ours && !this.#drives.has(gid) && !this.#stopping) return await this.#layDown(found, looks);
      const again = LOOK_AGAIN_AFTER[looks];
      if (!ours && again !== undefined) this.recover(gid, owner, soon(clock.now() + again), looks + 1);
    } catch (cause) {
      log.warn({ gid, err: cause }, "the store can't be read; trying again");
      this.recover(gid, owner, soon(clock.now() + settings.transCronInterval * 1000), looks);
    }
  }

  /**
   * What of a drive that broke off is still ours is put to rest, and claimed under a new owner: whatever of the old one's writes lands later
   * finds another owner, and does nothing (R1).
   */
  async #layDown({ transaction }: Loaded, looks: number): Promise<void> {
    const { gid, owner, status, wake, nextCronInterval, attempts, refusals } = transaction;
    const at = this.#parts.clock.now();
    const schedule = { nextCronTime: at, nextCronInterval, attempts, refusals, waitingOn: "" };
    const rested = await this.#parts.store.rest(gid, { owner, status, wake, at, results: [], ...schedule });
    if (rested.kind === "done") this.#events.dueAt(at);
    // Somebody changed or nudged it in between, or that late write came: what is stored then is looked at.
    else this.recover(gid, owner, soon(at), looks);
  }

  /** Until its drive here ends, or a stop begins, or the delay is over. */
  #sleep(watcher: Watcher, delay: Millis): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(delay, resolve);
      watcher.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** No call of ours is out. */
function soon(at: Millis): { readonly at: Millis; readonly notBefore: Millis } {
  return { at, notBefore: 0 };
}

/** Who waits for a transaction, and how a drive of this process ended meanwhile. */
interface Watcher {
  ended: Ended | null;
  wake: () => void;
}

interface Recovery {
  /** Until then a call of the drive that broke off may be under way. */
  readonly notBefore: Millis;
  readonly looks: number;
  readonly recover: () => void;
  readonly cancel: () => void;
}

interface Running {
  readonly drive: Drive;
  readonly ended: Promise<Ended>;
}
