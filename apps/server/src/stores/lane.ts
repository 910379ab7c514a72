/**
 * Group commit, the same for every store: operations that arrive while a flush is under way are collected and flushed as one batch,
 * in arrival order. An idle lane flushes at once: in the same tick, after whoever runs now has had its say (rules.md R7, design.md 3).
 */
import { StoreOverloaded, StoreUnavailable } from "./store.js";

export interface LaneLimits {
  readonly batchOperations: number;
  readonly batchBytes: number;
  readonly queueOperations: number;
  readonly queueBytes: number;
}

export const LANE_LIMITS: LaneLimits = {
  batchOperations: 256,
  batchBytes: 1024 * 1024,
  queueOperations: 10_000,
  queueBytes: 64 * 1024 * 1024,
};

interface Entry<Op, Result> {
  readonly op: Op;
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (cause: unknown) => void;
}

/** Told after each flush, also one that failed. */
export type Flushed = (operations: number, seconds: number) => void;

/** One answer per operation, in order; an `Error` among them concerns that operation alone. A rejected flush concerns the whole batch. */
export type Flush<Op, Result> = (batch: readonly Op[]) => Promise<readonly (Result | Error)[]>;

export interface LaneOptions {
  /** Default: LANE_LIMITS. */
  readonly limits?: LaneLimits;
  readonly flushed?: Flushed | undefined;
  /**
   * Whether the next batch goes out before those who wait for the last one are answered: the database works while the answers are worked on.
   * It pays where a batch takes the database about as long; elsewhere larger batches pay more. Default: false.
   */
  readonly nextFirst?: boolean;
}

export class Lane<Op, Result> {
  readonly #flush: Flush<Op, Result>;
  readonly #limits: LaneLimits;
  readonly #flushed: Flushed;
  readonly #nextFirst: boolean;
  #queue: Entry<Op, Result>[] = [];
  #queuedBytes = 0;
  #flushing = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(
    flush: Flush<Op, Result>,
    { limits = LANE_LIMITS, flushed = () => undefined, nextFirst = false }: LaneOptions = {},
  ) {
    this.#flush = flush;
    this.#limits = limits;
    this.#flushed = flushed;
    this.#nextFirst = nextFirst;
  }

  /** `bytes` is an estimate of what the operation weighs. */
  push(op: Op, bytes: number): Promise<Result> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("the store is closed"));
    const { queueOperations, queueBytes } = this.#limits;
    if (this.#queue.length >= queueOperations || (this.#queue.length > 0 && this.#queuedBytes + bytes > queueBytes)) {
      const message = `the store's queue is full: ${this.#queue.length} operations, ${this.#queuedBytes} bytes wait`;
      return Promise.reject(new StoreOverloaded(message));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ op, bytes, resolve, reject });
      this.#queuedBytes += bytes;
      if (this.#flushing) return;
      this.#flushing = true;
      queueMicrotask(() => void this.#run());
    });
  }

  /** Refuses what comes now, and waits until what was accepted is flushed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#flushing) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const answer = await this.#flushBatch(this.#take());
      // The next flush sends in this turn.
      if (this.#nextFirst && this.#queue.length > 0) setImmediate(answer);
      else answer();
    }
    this.#flushing = false;
    for (const drained of this.#drained.splice(0)) drained();
  }

  /** Returns what answers each of the batch. */
  async #flushBatch(batch: readonly Entry<Op, Result>[]): Promise<() => void> {
    const begin = performance.now();
    try {
      const results = await this.#flush(batch.map((entry) => entry.op));
      return () => answerEach(batch, results);
    } catch (cause) {
      return () => {
        for (const entry of batch) entry.reject(cause);
      };
    } finally {
      this.#flushed(batch.length, (performance.now() - begin) / 1000);
    }
  }

  /** At least one; a single operation may be heavier than a batch is meant to be. */
  #take(): Entry<Op, Result>[] {
    const { batchOperations, batchBytes } = this.#limits;
    let count = 0;
    let bytes = 0;
    for (const entry of this.#queue) {
      if (count > 0 && (count >= batchOperations || bytes + entry.bytes > batchBytes)) break;
      count++;
      bytes += entry.bytes;
    }
    this.#queuedBytes -= bytes;
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }
}

function answerEach<Op, Result>(batch: readonly Entry<Op, Result>[], results: readonly (Result | Error)[]): void {
  for (const [index, entry] of batch.entries()) {
    const result = results[index];
    if (result === undefined) entry.reject(new StoreUnavailable("the flush gave no answer for this operation"));
    else if (result instanceof Error) entry.reject(result);
    else entry.resolve(result);
  }
}
