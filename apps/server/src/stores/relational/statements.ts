/**
 * What the shared part of the SQL stores asks of a database, inside one transaction of its own. Each method is one statement, or one
 * per chunk of rows; what a statement may touch is decided before, in `batch.ts`. What answers nothing is not waited for: it is on its way
 * to the database before whatever is asked next, which fails with its error, or COMMIT does. So a batch costs few round trips.
 */
import type { Branch, GlobalStatus, Loaded, Millis, Owner, Transaction } from "../../engine/transaction.js";
import type { BranchResult, Claim, Claimed } from "../store.js";

/** A driver's write; null keeps what is stored. Applied only where owner, status and `wake` are as given (R1, R4). */
export interface DriverChange {
  readonly gid: string;
  readonly owner: Owner;
  readonly from: GlobalStatus;
  readonly wake: number | null;
  readonly to: GlobalStatus;
  readonly at: Millis;
  /** Kept only when none is stored yet. */
  readonly rollbackReason: string;
  readonly nextCronTime: Millis | null;
  readonly nextCronInterval: number | null;
  readonly attempts: number | null;
  readonly refusals: number | null;
  readonly waitingOn: string | null;
  /** Ends the lease. */
  readonly release: boolean;
}

export interface GidResult extends BranchResult {
  readonly gid: string;
}

/** A driver's last write: it ends the transaction and its lease, and stores no reason. */
export interface FinalMove {
  readonly gid: string;
  readonly owner: Owner;
  readonly from: GlobalStatus;
  readonly to: GlobalStatus;
  readonly at: Millis;
}

/** What `quick` writes; no gid occurs in two of these, but for the rows of what is created, registered or ended. */
export interface QuickWork {
  /** Gids that are free. */
  readonly created: readonly Transaction[];
  /** Gids of prepared transactions, in order, for which rows of `branches` are new. */
  readonly registering: readonly string[];
  /** Of the created and the registering, in order, so that ids tell it. */
  readonly branches: readonly Branch[];
  /** Prepared transactions that nobody drives, in order of gid; the submit's options where one side says nothing else (R8). */
  readonly submitting: readonly Transaction[];
  /** Owned as given, in order of gid. */
  readonly ending: readonly FinalMove[];
  /** Of the ending. */
  readonly results: readonly GidResult[];
}

export interface BranchKey {
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
}

export interface Statements {
  /**
   * All of it in one flight. Returns those of the submitting that it applied to, as they are stored now, and leaves the others untouched;
   * fails with `Overtaken` when anything else isn't as described.
   */
  quick(work: QuickWork): Promise<ReadonlyMap<string, Loaded>>;
  /** Those whose gid was free; the others are untouched. */
  insertGlobals(rows: readonly Transaction[]): Promise<ReadonlySet<string>>;
  /** In order, so that ids tell it. Fails when one exists. */
  insertBranches(rows: readonly Branch[]): void;
  /** Locked until the end of the transaction, in order of gid. */
  lockGlobals(gids: readonly string[]): Promise<ReadonlyMap<string, Transaction>>;
  branchKeys(gids: readonly string[]): Promise<readonly BranchKey[]>;
  /** Over the rows with these ids, which `lockGlobals` gave. */
  replaceGlobals(rows: readonly Transaction[]): void;
  /** The gids that it applied to. */
  drive(changes: readonly DriverChange[]): Promise<ReadonlySet<string>>;
  /** Only where still prepared: the first answer stands. */
  settle(results: readonly GidResult[]): Promise<void>;
  load(gids: readonly string[]): Promise<ReadonlyMap<string, Loaded>>;
  /** Buries the expired first; judged on the database's clock (R2). */
  liveEpochs(epochs: readonly string[]): Promise<ReadonlySet<string>>;
  claimDue(claim: Claim): Promise<Claimed>;
  /** The earliest due time of what rests. */
  nextDue(): Promise<Millis | null>;
  claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]>;
  wakeWaiting(destination: string, limit: number, at: Millis): Promise<number>;
  resetDue(after: Millis, at: Millis, limit: number): Promise<{ readonly count: number; readonly remaining: boolean }>;
  sweep(ask: { readonly createdFrom: Millis; readonly endedBefore: Millis; readonly limit: number }): Promise<number>;
  createKey(entry: { cat: string; key: string; value: string; at: Millis }): Promise<boolean>;
  updateKey(entry: { cat: string; key: string; value: string; version: number; at: Millis }): Promise<boolean>;
  deleteKey(cat: string, key: string): Promise<boolean>;
}

/** `<epoch>:<counter>` (R1); dtm's owners have no colon and no epoch. */
export function epochOf(owner: Owner): string {
  return owner.slice(0, Math.max(0, owner.lastIndexOf(":")));
}
