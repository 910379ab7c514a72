/**
 * What every store promises. Methods are domain events, each one atomic step; losing a race is a value, not an error.
 * Time is an argument. A store throws only `StoreUnavailable` (outcome unknown or store down), `StoreOverloaded`
 * (its bounded queue is full) and `StoreRejected` (the data itself is refused); see rules.md R7.
 */
import type {
  Branch,
  BranchStatus,
  GlobalStatus,
  Loaded,
  Millis,
  Owner,
  Transaction,
  TransactionType,
} from "../engine/transaction.js";

/** The condition of every write of a driver (R1). */
export interface Fence {
  readonly owner: Owner;
  readonly status: GlobalStatus;
}

/** A branch that settled; applied only where the stored branch is still `prepared`: the first answer stands (promise 3). */
export interface BranchResult {
  readonly branchId: string;
  readonly op: string;
  readonly status: Exclude<BranchStatus, "prepared">;
  readonly at: Millis;
}

export type CreateResult = { readonly kind: "created" } | { readonly kind: "exists"; readonly current: Loaded };

/**
 * `created`: stored as given. `moved`: it was prepared; now submitted with merged options (`mergeSubmitted`), branches of the prepared one.
 * `leased` tells whether the owner given by the caller holds it: false when a live owner had it, whose `wake` was raised instead (R5).
 */
export type SubmitResult =
  | { readonly kind: "created" }
  | { readonly kind: "moved"; readonly loaded: Loaded; readonly leased: boolean }
  | { readonly kind: "exists"; readonly current: Loaded };

/** A caller's change (abort, forceStop, a workflow's submit): conditional on status alone. */
export interface CallerChange {
  readonly from: readonly GlobalStatus[];
  readonly to: GlobalStatus;
  readonly at: Millis;
  /** Kept only when none is stored yet: the first reason stays. */
  readonly rollbackReason?: string;
  readonly result?: string;
  /** Taken when `to` is not final and no live owner exists; otherwise `wake` is raised. "" takes none and makes it due at `at`. */
  readonly owner: Owner;
}

export type CallerResult =
  | { readonly kind: "changed"; readonly loaded: Loaded; readonly leased: boolean }
  | { readonly kind: "refused"; readonly current: Loaded | null };

/** A driver's change of status. A final `to` clears owner and waitingOn and sets finish_time or rollback_time. */
export interface DriverMove extends Fence {
  readonly to: GlobalStatus;
  readonly at: Millis;
  readonly results: readonly BranchResult[];
  /** Kept only when none is stored yet. */
  readonly rollbackReason?: string;
  /** Only when the drive goes on: next due time should this node die, and the interval. */
  readonly nextCronTime?: Millis;
}

/** `branches`: as of the move when `status` was prepared (others may have registered some), else null: nobody else can change them. */
export type MoveResult =
  | { readonly kind: "moved"; readonly branches: readonly Branch[] | null }
  | { readonly kind: "refused"; readonly current: Loaded | null };

export interface Rest extends Fence {
  /** The wake counter the driver knows; another value stored means somebody nudged: nothing is rested (R4). */
  readonly wake: number;
  readonly at: Millis;
  readonly nextCronTime: Millis;
  readonly nextCronInterval: number;
  readonly attempts: number;
  readonly refusals: number;
  readonly waitingOn: string;
  readonly results: readonly BranchResult[];
}

/** `refused` with `current` as stored; a nudged or caller-changed transaction still carries our owner there. */
export type FencedResult = { readonly kind: "done" } | { readonly kind: "refused"; readonly current: Loaded | null };

export interface Claim {
  /** Of a live epoch: a dead one, or one that never confirmed a heartbeat, claims nothing and leases nothing (R2). */
  readonly owner: Owner;
  readonly limit: number;
  /** The node's clock, for due times. Liveness of other owners is judged on the store's clock (R2). */
  readonly now: Millis;
}

export interface Claimed {
  readonly claimed: readonly Loaded[];
  /** The earliest due time of what rests and isn't due yet; null when nothing waits. */
  readonly nextDue: Millis | null;
}

export interface ListFilter {
  readonly status?: GlobalStatus;
  readonly type?: TransactionType;
  readonly gidPrefix?: string;
  /** Inclusive. */
  readonly createdFrom?: Millis;
  /** Inclusive. */
  readonly createdTo?: Millis;
  /** From the page before; "" or absent starts with the newest. */
  readonly position?: string;
  readonly limit: number;
}

export interface Page {
  readonly transactions: readonly Transaction[];
  /** "" at the end. */
  readonly nextPosition: string;
}

/** What counts as stuck (R16). */
export interface StuckAsk {
  /** By type; a stored type that isn't among them, as another version may have written it, has the smallest. */
  readonly stuckAttempts: Readonly<Record<TransactionType, number>>;
  readonly stuckRefusals: number;
  readonly overdueBefore: Millis;
}

export interface Summary {
  readonly unfinished: number;
  /** Create time of the oldest unfinished transaction. */
  readonly oldest: Millis | null;
  /** Unfinished with `attempts >= stuckAttempts` of its type, or `refusals >= stuckRefusals`, or due before `overdueBefore`. */
  readonly stuck: number;
}

export interface TransactionStore {
  /** True when several nodes may share it, so heartbeats and dead epochs matter (R2); false: everything owned at `open` is left behind. */
  readonly shared: boolean;

  open(): Promise<void>;
  /** Flushes what was accepted, then closes. */
  close(): Promise<void>;
  /** Rejects with StoreUnavailable when the store can't answer. */
  ping(): Promise<void>;

  /** Confirms that `epoch` lives, on the store's clock, for `leaseMs`. False: it was declared dead and never revives (R2). */
  heartbeat(epoch: string, leaseMs: Millis): Promise<boolean>;
  /** Declares an epoch dead at once (a graceful stop, or a process of this host that is provably gone). */
  retire(epoch: string): Promise<void>;
  /** Epochs that weren't declared dead; none where the store isn't shared. */
  liveEpochs(): Promise<readonly string[]>;

  /** Saves transaction and branches, or neither. "exists" leaves the stored one untouched. */
  create(loaded: Loaded): Promise<CreateResult>;
  /** Create as submitted, or move the prepared one of this gid to submitted; `loaded.transaction.owner` is the lease asked for. */
  submit(loaded: Loaded): Promise<SubmitResult>;
  /** Adds branches while the global is prepared. */
  registerBranches(gid: string, branches: readonly Branch[]): Promise<"registered" | "duplicate" | "not-prepared">;
  change(gid: string, change: CallerChange): Promise<CallerResult>;
  /** Makes it due at `at` and raises `wake`. False when the gid is unknown; a finished one only has its times touched. */
  nudge(gid: string, at: Millis): Promise<boolean>;

  move(gid: string, move: DriverMove): Promise<MoveResult>;
  recordBranches(gid: string, fence: Fence, results: readonly BranchResult[], at: Millis): Promise<FencedResult>;
  rest(gid: string, rest: Rest): Promise<FencedResult>;

  /** Due transactions that no live owner holds, aborting ones first; each goes to one claimer only (R1, R2). */
  claimDue(claim: Claim): Promise<Claimed>;
  /** What this very claim holds: how a node reads back a claim whose reply was lost (R7). */
  ownedBy(owner: Owner): Promise<readonly Loaded[]>;
  /** Up to `limit` resting transactions that wait for this destination, due or not (R13). */
  claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]>;
  /** Makes up to `limit` that wait for this destination due at `at`, and forgets what they waited for; returns how many. */
  wakeWaiting(destination: string, limit: number, at: Millis): Promise<number>;
  /** Destinations that at least `atLeast` resting transactions wait for. */
  waitingDestinations(atLeast: number): Promise<readonly string[]>;

  find(gid: string): Promise<Loaded | null>;
  /** Exact, newest first. */
  list(filter: ListFilter): Promise<Page>;
  /** Makes up to `limit` unfinished ones that are due later than `after` due at `at`. */
  resetDue(reset: {
    readonly after: Millis;
    readonly at: Millis;
    readonly limit: number;
  }): Promise<{ readonly count: number; readonly remaining: boolean }>;
  summary(ask: StuckAsk): Promise<Summary>;
  /**
   * Removes up to `limit` transactions that ended before `endedBefore`, with their branches; returns how many (R30). One that was stored
   * when it was over counts from its `updateTime`, if that is later.
   */
  sweep(sweep: { readonly endedBefore: Millis; readonly limit: number }): Promise<number>;
}

export interface KeyValue {
  readonly id: number;
  readonly cat: string;
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly createTime: Millis;
  readonly updateTime: Millis;
}

/** dtm's generic kv table; only category `topics` is used (protocol.md 7.6). */
export interface KeyValueStore {
  createKey(entry: {
    readonly cat: string;
    readonly key: string;
    readonly value: string;
    readonly at: Millis;
  }): Promise<"created" | "exists">;
  /** Only from `version`, which it raises by one. */
  updateKey(entry: {
    readonly cat: string;
    readonly key: string;
    readonly value: string;
    readonly version: number;
    readonly at: Millis;
  }): Promise<boolean>;
  deleteKey(cat: string, key: string): Promise<boolean>;
  /** Empty filters match everything. */
  findKeys(filter: { readonly cat: string; readonly key: string }): Promise<readonly KeyValue[]>;
  scanKeys(page: {
    readonly cat: string;
    readonly position: string;
    readonly limit: number;
  }): Promise<{ readonly entries: readonly KeyValue[]; readonly nextPosition: string }>;
}

export type Store = TransactionStore & KeyValueStore;

/** The outcome is unknown, or the store can't be reached: the caller gets a server error and may repeat (R7). */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** The store's bounded queue is full: 503 / UNAVAILABLE (R7). */
export class StoreOverloaded extends Error {
  override readonly name = "StoreOverloaded";
}

/** The data itself was refused (length, NUL, size); nothing was stored. */
export class StoreRejected extends Error {
  override readonly name = "StoreRejected";
}
