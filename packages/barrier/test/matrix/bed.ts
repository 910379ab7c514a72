/** What the scenarios need of a driver: one small bed each, and one file of scenarios for all of them. */
import type { RunResult } from "../../src/barrier.js";
import type { Database, Kind } from "../kit/databases.js";

/** A driver's barrier with its types taken off: whether they fit is the type check's business, in each bed. */
export interface AnyBarrier {
  run(tx: unknown, work: (tx: unknown) => unknown, options?: object): Promise<RunResult<unknown>> | RunResult<unknown>;
  queryPrepared(db: unknown, options?: object): Promise<void> | void;
  createTable(db: unknown, options?: object): Promise<void> | void;
  cleanUp(db: unknown, options?: object): Promise<{ deleted: number }> | { deleted: number };
  /** Of a driver with pools. */
  transaction?(pool: never, work: (tx: unknown) => unknown, options?: object): Promise<RunResult<unknown>>;
}

/** A driver at work on one database. `T` is its transaction. */
export interface Session {
  readonly barrier: AnyBarrier;
  /** Begins, does the work, commits; or rolls back and throws the error on. As the driver's documentation says it is done. */
  transaction(work: (tx: unknown) => unknown): Promise<unknown>;
  /** The whole guarded transaction is the barrier's: `barrier.transaction`. */
  guarded?(work: (tx: unknown) => unknown, options: object): Promise<unknown>;
  /** A statement of the user's own, inside a transaction. */
  exec(tx: unknown, sql: string): unknown;
  /** A pool, or what else takes a connection for each statement; null where the driver has no such thing. */
  readonly pool: unknown;
  /** A connection without an open transaction, or a transaction that has ended; null where the driver has no such thing. */
  readonly idle: ((use: (connection: unknown) => unknown) => Promise<unknown>) | null;
  /** What `queryPrepared`, `createTable` and `cleanUp` take. */
  readonly db: unknown;
  close(): Promise<void>;
}

export interface Bed {
  readonly name: string;
  readonly on: Kind;
  /** The driver answers at once. */
  readonly sync?: boolean;
  open(database: Database): Promise<Session>;
}

/** The same driver, with `barrier.transaction` for every guarded transaction. */
export function wholeTransactions(bed: Bed): Bed {
  return {
    ...bed,
    name: `${bed.name}, whole transactions`,
    async open(database) {
      const session = await bed.open(database);
      const { barrier, pool } = session;
      if (barrier.transaction === undefined) throw new Error(`${bed.name} has no barrier.transaction`);
      return { ...session, guarded: (work, options) => Promise.resolve(barrier.transaction?.(pool as never, work, options)) };
    },
  };
}

/** Goes on when `value` is there: at once with a driver that answers at once. */
export function after(value: unknown, next: (value: unknown) => unknown): unknown {
  return value instanceof Promise || isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "then") === "function";
}

/** One at a time, for a driver that has one connection and doesn't queue transactions itself. */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
