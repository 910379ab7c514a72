/** A whole guarded local transaction on a connection of a pool: begins, guards, runs the work, commits or rolls back, gives back. */
import { inCall, type RunResult, settle } from "../barrier.js";
import { requireWork } from "./done.js";
import { drive } from "./drive.js";
import { rolledBack } from "./rollback.js";
import { takeBackRow } from "./rows.js";
import {
  type Adapter,
  type Failed,
  type Prepared,
  type PreparedOption,
  prepare,
  runGuarded,
  type SqlBarrier,
  type SqlRunOptions,
  sqlBarrier,
} from "./sql-barrier.js";
import type { Executor, Raw, Reply } from "./statement.js";

/** The connections that a pool gives: pg's by `connect()`, those of MySQL's drivers by `getConnection()`. */
export type ConnectionOf<Pool> = Pool extends { getConnection(): Promise<infer Connection> }
  ? Connection
  : Pool extends { connect: { (): Promise<infer Connection>; (callback: never): unknown } }
    ? Connection
    : never;

/** {@link SqlBarrier} of a driver whose pools give connections. */
export interface PoolBarrier<Tx, Db, Pool> extends SqlBarrier<Tx, Db> {
  /**
   * The whole local transaction: takes a connection out of the pool, begins, does what {@link SqlBarrier.run} does, commits, and gives the
   * connection back. An error of the work, or of the commit, rolls back and is thrown on as it is; on MySQL and MariaDB one statement more
   * takes the barrier's row back, should the work have committed it before it failed. What somebody left open on the connection is rolled back
   * there, on PostgreSQL it is refused. On PostgreSQL and MariaDB it costs no round trip more than the bare transaction: BEGIN and the barrier's
   * statement travel together. For another isolation level begin yourself, and call `run`.
   *
   * @throws DtmError NOT_A_POOL, TRANSACTION_OPEN on PostgreSQL, and whatever {@link SqlBarrier.run} throws. After an error of the commit itself
   * it is unknown whether it took place; the next delivery of the call finds out.
   */
  transaction<P extends Pool, R>(
    pool: P,
    work: (tx: ConnectionOf<P>) => PromiseLike<R> | R,
    options?: SqlRunOptions,
  ): Promise<RunResult<R>>;
}

/** A connection that was taken out of a pool for one transaction. */
export interface Session {
  readonly tx: unknown;
  /** Begins a transaction: at once, or with the first statement that its executor is given. */
  begin(options: PreparedOption): PromiseLike<Executor> | Executor;
  commit(): PromiseLike<unknown>;
  rollback(): PromiseLike<unknown>;
  /** @param broken - Nobody knows what state it is in: it is closed, not used again. */
  release(broken: boolean): PromiseLike<void> | void;
}

/** {@link Adapter} of a driver whose pools give connections. */
export interface PoolAdapter extends Adapter<PromiseLike<Reply> | Reply> {
  connect(pool: unknown): Promise<Session>;
}

export function poolBarrier<Tx, Db, Pool>(adapter: PoolAdapter): PoolBarrier<Tx, Db, Pool> {
  return {
    ...sqlBarrier<Tx, Db>(adapter),
    transaction: (pool, work, options = {}) => inCall(options, () => transaction(pool, work, options)),
  };

  async function transaction<P extends Pool, R>(
    pool: P,
    work: (tx: ConnectionOf<P>) => PromiseLike<R> | R,
    options: SqlRunOptions,
  ): Promise<RunResult<R>> {
    // Refused before anything is begun.
    const guard = settle(options);
    requireWork(work);
    const session = await adapter.connect(pool);
    // What the driver's own pool gave is what its types say.
    const tx = session.tx as ConnectionOf<P>;
    let broken = false;
    const failed: Failed = {};
    let prepared: Prepared<PromiseLike<Reply> | Reply> | undefined;
    try {
      prepared = prepare(await session.begin(options), options, guard);
      const result = await runGuarded(prepared, tx, work, failed);
      await session.commit();
      return result;
    } catch (cause) {
      broken = await fails(rolledBack(session.rollback()));
      if (!broken && prepared !== undefined && failed.rowId !== undefined) {
        broken = await fails(takeBackCommitted(session, prepared, failed.rowId));
      }
      throw cause;
    } finally {
      await session.release(broken);
    }
  }
}

/** A session may have autocommit off. */
async function takeBackCommitted(
  session: Session,
  { executor, table }: Prepared<PromiseLike<Reply> | Reply>,
  rowId: Raw,
): Promise<void> {
  const { open } = await drive(takeBackRow(table, rowId), executor, table);
  if (open === true) await session.commit();
}

export async function fails(doing: PromiseLike<unknown>): Promise<boolean> {
  try {
    await doing;
    return false;
  } catch {
    return true;
  }
}
