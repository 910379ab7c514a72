/** A whole guarded local transaction on a connection of a pool: begins, guards, runs the work, commits or rolls back, gives back. */
import { inCall, type RunResult, settle } from "../barrier.js";
import { requireWork } from "./done.js";
import { drive } from "./drive.js";
import { rolledBack } from "./rollback.js";
import { takeBackRow } from "./rows.js";
import {
  type Adapter,
  type Prepared,
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
  begin(): PromiseLike<unknown>;
  /** Begins with the first statement that it is given; null where this connection can't (yet). */
  opening?(options: SqlRunOptions): PromiseLike<Executor | null> | Executor | null;
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
    const { branch } = settle(options);
    requireWork(work);
    const session = await adapter.connect(pool);
    // What the driver's own pool gave is what its types say.
    const tx = session.tx as ConnectionOf<P>;
    let broken = false;
    const failed: { takeBack?: () => Promise<void> } = {};
    try {
      const opening = (await session.opening?.(options)) ?? null;
      if (opening === null) await session.begin();
      const executor = opening ?? adapter.transaction(tx, options);
      const prepared = prepare(executor, { ...options, branch });
      const result = await runGuarded(prepared, tx, work, (rowId) => {
        failed.takeBack = () => takeBackCommitted(session, prepared, rowId);
      });
      await session.commit();
      return result;
    } catch (cause) {
      broken = await fails(rolledBack(session.rollback()));
      if (!broken && failed.takeBack !== undefined) broken = await fails(failed.takeBack());
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
