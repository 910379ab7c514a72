/**
 * One server process of a world: the real core over a store whose replies can be lost and a clock that can be wrong. A crashed
 * node goes silent for ever, a paused one falls behind and then goes on as if nothing had happened.
 */
import { buildCore, type Core } from "../../src/core.js";
import type { Clock } from "../../src/engine/clock.js";
import type { Log, Telemetry } from "../../src/engine/coordinator.js";
import type { DestinationRules } from "../../src/engine/destinations.js";
import type { EngineSettings } from "../../src/engine/settings.js";
import type { Millis } from "../../src/engine/transaction.js";
import type { VirtualClock } from "../../src/engine/virtual-clock.js";
import type { Participants } from "../../src/participants/participant.js";
import type { Store } from "../../src/stores/store.js";
import { StoreUnavailable } from "../../src/stores/store.js";
import type { Random } from "./random.js";
import type { Fault } from "./report.js";

const DEAF: Telemetry = { served: () => undefined, drove: () => undefined, called: () => undefined };

export type WriteFault =
  | "crash before write"
  | "crash after write"
  | "unknown commit, applied"
  | "unknown commit, applied later"
  | "unknown commit, not applied";

/** How much later: after a recovery has looked, and after a heartbeat has run out. */
const LATEST_COMMIT_MS = 8_000;

export interface NodeParts {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly random: Random;
  readonly settings: EngineSettings;
  readonly breaker: DestinationRules;
  readonly participants: (node: Node) => Participants;
  readonly met: (fault: Fault) => void;
  readonly crashed: (node: Node) => void;
  readonly violated: (message: string) => void;
  /** Looks at the store after every write (what is final must stay so). */
  readonly written: (gid: string) => void;
}

export class Node {
  alive = true;
  paused = false;
  readonly core: Core;
  /** Its next write of any kind meets this. */
  nextWrite: WriteFault | null = null;
  #skew = 0;
  /** Until when each epoch's last heartbeat counts, by the store's clock (R2). */
  readonly #leases = new Map<string, Millis>();
  #held: (() => void)[] = [];

  constructor(readonly parts: NodeParts) {
    let epochs = 0;
    this.core = buildCore({
      store: this.#faultyStore(parts.store),
      participants: parts.participants(this),
      topics: { subscribers: async () => null },
      clock: this.#clock(),
      settings: parts.settings,
      breaker: parts.breaker,
      log: this.#log(),
      telemetry: DEAF,
      alert: () => undefined,
      random: () => parts.random.next(),
      newEpoch: () => `${parts.name}.${++epochs}`,
    });
  }

  /** Runs now, later when paused, never when dead. */
  gate(work: () => void): void {
    if (!this.alive) return;
    if (this.paused) this.#held.push(work);
    else work();
  }

  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    this.parts.crashed(this);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const work of this.#held.splice(0)) work();
  }

  /** The wall clock jumps; the monotonic one doesn't. */
  jump(millis: number): void {
    this.#skew += millis;
  }

  unskew(): void {
    this.#skew = 0;
  }

  /** What a promise of the outside settles to reaches this node only through its gate. */
  receive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.gate(() => resolve(value)),
        (cause: unknown) => this.gate(() => reject(cause)),
      );
    });
  }

  #log(): Log {
    const silent = (): void => undefined;
    const warn = (_fields: object, event: string): void => {
      if (event === "destination is down; probing") this.parts.met("breaker opened");
    };
    return { debug: silent, info: silent, warn, error: silent };
  }

  #clock(): Clock {
    const { clock } = this.parts;
    return {
      now: () => clock.now() + this.#skew,
      monotonic: () => clock.monotonic(),
      after: (delay, callback) => clock.after(delay, () => this.gate(callback)),
    };
  }

  /** Applied at once, in the order asked, unless its outcome is unknown; the answer may be late, lost, or never come. */
  #faultyStore(store: Store): Store {
    const write = <A extends unknown[], R>(method: (...args: A) => Promise<R>) => {
      return (...args: A): Promise<R> => {
        const fault = this.nextWrite;
        this.nextWrite = null;
        if (fault !== null) this.parts.met(fault);
        if (!this.alive) return new Promise(() => undefined);
        if (fault === "crash before write") {
          this.crash();
          return new Promise(() => undefined);
        }
        const unknown = (): Promise<R> => this.receive(Promise.reject(new StoreUnavailable("unknown outcome")));
        if (fault === "unknown commit, not applied") return unknown();
        if (fault === "unknown commit, applied later") {
          const { clock, random } = this.parts;
          clock.after(random.between(1, LATEST_COMMIT_MS), () => void this.#apply(() => method.apply(store, args), args[0]));
          return unknown();
        }
        const applied = this.#apply(() => method.apply(store, args), args[0]);
        if (fault === "crash after write") {
          this.crash();
          return new Promise(() => undefined);
        }
        if (fault === "unknown commit, applied")
          return this.receive(applied.then(() => Promise.reject(new StoreUnavailable("unknown outcome"))));
        return this.receive(this.#late(applied));
      };
    };
    const read = <A extends unknown[], R>(method: (...args: A) => Promise<R>) => {
      return (...args: A): Promise<R> =>
        this.alive ? this.receive(this.#late(method.apply(store, args))) : new Promise(() => undefined);
    };
    return {
      shared: store.shared,
      open: read(store.open),
      close: read(store.close),
      ping: read(store.ping),
      heartbeat: read(async (epoch, leaseMs) => {
        const now = this.parts.clock.now();
        const alive = await store.heartbeat(epoch, leaseMs);
        if (alive) this.#leases.set(epoch, now + leaseMs);
        else if (now < (this.#leases.get(epoch) ?? 0))
          this.parts.violated(`${epoch} was declared dead while its heartbeat counted`);
        return alive;
      }),
      retire: read((epoch) => {
        this.#leases.delete(epoch);
        return store.retire(epoch);
      }),
      liveEpochs: read(store.liveEpochs),
      create: write(async (loaded) => {
        const result = await store.create(loaded);
        this.parts.written(loaded.transaction.gid);
        return result;
      }),
      submit: write(async (loaded) => {
        const result = await store.submit(loaded);
        this.parts.written(loaded.transaction.gid);
        return result;
      }),
      registerBranches: write(store.registerBranches),
      change: write(store.change),
      nudge: write(store.nudge),
      move: write(store.move),
      recordBranches: write(store.recordBranches),
      rest: write(store.rest),
      claimDue: write(store.claimDue),
      ownedBy: read(store.ownedBy),
      claimWaiting: write(async (destination, claim) => {
        const claimed = await store.claimWaiting(destination, claim);
        if (claimed.length > 0) this.parts.met("probe");
        return claimed;
      }),
      wakeWaiting: write(async (destination, most, at) => {
        const woken = await store.wakeWaiting(destination, most, at);
        if (woken > 0) this.parts.met("wake-up");
        return woken;
      }),
      waitingDestinations: read(store.waitingDestinations),
      find: read(store.find),
      list: read(store.list),
      resetDue: write(store.resetDue),
      summary: read(store.summary),
      sweep: write(store.sweep),
      createKey: write(store.createKey),
      updateKey: write(store.updateKey),
      deleteKey: write(store.deleteKey),
      findKeys: read(store.findKeys),
      scanKeys: read(store.scanKeys),
    };
  }

  #apply<R>(write: () => Promise<R>, gid: unknown): Promise<R> {
    const applied = write();
    if (typeof gid === "string") this.parts.written(gid);
    return applied;
  }

  #late<T>(promise: Promise<T>): Promise<T> {
    const { random, clock } = this.parts;
    if (!random.chance(0.15)) return promise;
    const delay = random.between(1, 60);
    return promise.then((value) => new Promise<T>((resolve) => clock.after(delay, () => resolve(value))));
  }
}
