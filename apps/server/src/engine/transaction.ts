/**
 * The words and shapes every part of the server shares: what a global transaction and its branches are.
 * The wire's spellings live in transports/, the columns' in stores/; here is one set of types (style.md 6).
 */
import type { BranchStatus, GlobalStatus, Protocol, TransactionType } from "@dtm/protocol";

export type { BranchStatus, GlobalStatus, Protocol, TransactionType };

/** Milliseconds since the Unix epoch, or a span of milliseconds. */
export type Millis = number;

/** `<node epoch>:<claim counter>`; "" means at rest, owned by nobody (rules.md R1). */
export type Owner = string;

/** What a client may ask per transaction; 0 always means "the server's setting" (protocol.md 1.3). */
export interface TransactionOptions {
  readonly waitResult: boolean;
  /** Seconds. */
  readonly timeoutToFail: number;
  /** Seconds, per branch call. */
  readonly requestTimeout: number;
  /** Seconds, base of the back-off. */
  readonly retryInterval: number;
  /** Immediate retries of a saga action, per drive. */
  readonly retryLimit: number;
  /** Runs the branches of a msg in parallel; a saga's concurrency is in `customData`. */
  readonly concurrent: boolean;
  readonly branchHeaders: Readonly<Record<string, string>>;
}

export interface Transaction {
  /** The store's row number; 0 before it is stored. Fits int32 (protocol.md 1.11). */
  readonly id: number;
  readonly gid: string;
  readonly type: TransactionType;
  readonly status: GlobalStatus;
  readonly protocol: Protocol;
  readonly queryPrepared: string;
  readonly options: TransactionOptions;
  /** JSON text as the client sent it; "" when absent. */
  readonly customData: string;
  readonly createTime: Millis;
  readonly updateTime: Millis;
  /** When it was submitted; a delay counts from here (R8). Null while prepared, and in rows that dtm wrote. */
  readonly submitTime: Millis | null;
  readonly finishTime: Millis | null;
  readonly rollbackTime: Millis | null;
  /** Seconds; the back-off's interval without jitter (R14). */
  readonly nextCronInterval: number;
  /** When it is due; always set. */
  readonly nextCronTime: Millis;
  readonly owner: Owner;
  /** Result of a workflow, base64 text. */
  readonly result: string;
  readonly rollbackReason: string;
  /** Failing drives since the last success (R14). */
  readonly attempts: number;
  /** Consecutive FAILURE answers of an operation that must succeed (R16). */
  readonly refusals: number;
  /** Raised by every caller's change that did not take the lease (R4, R5). */
  readonly wake: number;
  /** The destination it waits for, "" for none (R13). */
  readonly waitingOn: string;
}

export interface Branch {
  readonly id: number;
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
  readonly url: string;
  readonly payload: Uint8Array;
  readonly status: BranchStatus;
  readonly createTime: Millis;
  readonly updateTime: Millis;
  readonly finishTime: Millis | null;
  readonly rollbackTime: Millis | null;
}

/** A transaction with its branches in creation order. */
export interface Loaded {
  readonly transaction: Transaction;
  readonly branches: readonly Branch[];
}

export const FINAL: ReadonlySet<GlobalStatus> = new Set(["succeed", "failed"]);

export function isFinal(status: GlobalStatus): boolean {
  return FINAL.has(status);
}

export const NO_OPTIONS: TransactionOptions = {
  waitResult: false,
  timeoutToFail: 0,
  requestTimeout: 0,
  retryInterval: 0,
  retryLimit: 0,
  concurrent: false,
  branchHeaders: {},
};

/** The submit body's options and custom_data, merged over the prepared ones: what the submit says wins, what it leaves out stays (R8). */
export function mergeSubmitted(prepared: Transaction, submitted: Transaction): Transaction {
  const before = prepared.options;
  const said = submitted.options;
  return {
    ...prepared,
    status: "submitted",
    options: {
      waitResult: said.waitResult || before.waitResult,
      timeoutToFail: said.timeoutToFail || before.timeoutToFail,
      requestTimeout: said.requestTimeout || before.requestTimeout,
      retryInterval: said.retryInterval || before.retryInterval,
      retryLimit: said.retryLimit || before.retryLimit,
      concurrent: said.concurrent || before.concurrent,
      branchHeaders: { ...before.branchHeaders, ...said.branchHeaders },
    },
    customData: submitted.customData || prepared.customData,
    submitTime: submitted.submitTime,
    updateTime: submitted.updateTime,
    nextCronInterval: submitted.nextCronInterval,
    nextCronTime: submitted.nextCronTime,
    attempts: 0,
    waitingOn: "",
  };
}
