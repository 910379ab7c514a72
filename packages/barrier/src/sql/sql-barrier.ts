/** The barrier of a driver: `run` joins the user's own open transaction, the rest works on a pool or connection. */
import { decide, type Guard, IN_SQL, inCall, type RunOptions, type RunResult, refuseSpaceAtEnd, settle } from "../barrier.js";
import { type CleanUpOptions, type CleanUpResult, cleanUpSteps, createTableSteps } from "../schema.js";
import { requireDone, requireWork } from "./done.js";
import { drive, driveNow, mustBeSync, requireSync } from "./drive.js";
import { aborted, endedByWork, insertRows, notOpen, queryPrepared, transactionOpen } from "./rows.js";
import type { Executor, Raw, Reply } from "./statement.js";
import { type TableName, tableName } from "./table.js";

/** The options of a guarded local transaction in an SQL database. */
export interface SqlRunOptions extends RunOptions, TableOption, PreparedOption {}

/** Where the barrier's rows are. */
export interface TableOption {
  /** `table` or `schema.table`; default `dtm_barrier.barrier`, which services in other languages share, on SQLite `barrier`. */
  readonly table?: string;
}

/** Whether a driver prepares the barrier's statement. */
export interface PreparedOption {
  /**
   * Whether pg, mysql2 and mariadb send the barrier's statement as a prepared one, which each connection's server parses once. Default: with pg
   * from a connection's second transaction on, if its server has turned out to be the very process that the client is connected to (behind
   * PgBouncer it hasn't); with mysql2 and mariadb false. Set true behind PgBouncer 1.21 or later with `max_prepared_statements`; set false where
   * somebody runs `DISCARD ALL` between transactions. Other drivers and ORMs do as they do with every statement.
   */
  readonly prepared?: boolean | undefined;
}

/** Options of `queryPrepared`. */
export interface QueryPreparedOptions extends TableOption, Pick<RunOptions, "branch"> {}

/** A barrier whose transactions are `Tx`, and whose pools or connections without a transaction are `Db`. */
export interface SqlBarrier<Tx, Db> {
  /**
   * Runs `work` inside the caller's own open transaction `tx`, once for all deliveries of a branch call. It writes the barrier's rows
   * (one statement), and runs the work, or skips it when it is not to run: seen before, overtaken by its undo, or nothing to undo.
   * The caller commits; an error of the work is thrown on as it is, and must lead to a rollback.
   *
   * @throws DtmError NOT_A_TRANSACTION, WRONG_DRIVER, NOT_IN_BRANCH, BARRIER_TABLE_MISSING, BARRIER_ID_REUSED, or DUPLICATED for the
   * local transaction of a message that was decided before: the work didn't run. TRANSACTION_ABORTED when the work went on after a
   * statement had failed on PostgreSQL (told by pg, and by Drizzle, Knex, Sequelize and TypeORM over it; Kysely and Prisma ask the server).
   * OPTION_INVALID for work that is a generator, or returns one, a stream, or a query of Kysely or TypeORM that isn't executed. In each case
   * the transaction is to be rolled back.
   */
  run<T extends Tx, R>(tx: T, work: (tx: T) => PromiseLike<R> | R, options?: SqlRunOptions): Promise<RunResult<R>>;
  /**
   * Answers the coordinator's question about a message: returns when its local transaction was committed, and otherwise makes sure
   * that it never will be. Waits while the local transaction is under way.
   *
   * @throws Failure when it wasn't committed; DtmError TRANSACTION_OPEN inside a transaction.
   */
  queryPrepared(db: Db, options?: QueryPreparedOptions): Promise<void>;
  /** Creates the barrier's table unless it is there; several processes may do so at once. */
  createTable(db: Db, options?: TableOption): Promise<void>;
  /** Deletes the rows of branches that nobody will call again, in small statements. To be run now and then, by one process or more. */
  cleanUp(db: Db, options?: CleanUpOptions): Promise<CleanUpResult>;
}

/** {@link SqlBarrier} of a synchronous driver. */
export interface SyncSqlBarrier<Tx> {
  /**
   * As {@link SqlBarrier.run}, at once: the work must be synchronous, like the driver.
   *
   * @throws DtmError WORK_IS_ASYNC when the work returns a promise, and all that {@link SqlBarrier.run} throws.
   */
  run<T extends Tx, R>(tx: T, work: (tx: T) => R, options?: SqlRunOptions): RunResult<R>;
  /** As {@link SqlBarrier.queryPrepared}, at once. */
  queryPrepared(db: Tx, options?: QueryPreparedOptions): void;
  /** As {@link SqlBarrier.createTable}, at once. */
  createTable(db: Tx, options?: TableOption): void;
  /** As {@link SqlBarrier.cleanUp}, at once. */
  cleanUp(db: Tx, options?: CleanUpOptions): CleanUpResult;
}

/** How a driver's objects are used. Refuses what isn't its own (WRONG_DRIVER) or is no transaction (NOT_A_TRANSACTION). */
export interface Adapter<Answer> {
  transaction(tx: unknown, options: PreparedOption): Executor<Answer>;
  /** A pool, or a connection; whether a transaction is open on it is the executor's to tell. */
  database(db: unknown): Executor<Answer>;
}

export function sqlBarrier<Tx, Db>(adapter: Adapter<PromiseLike<Reply> | Reply>): SqlBarrier<Tx, Db> {
  return {
    run: (tx, work, options = {}) =>
      inCall(options, async () => runGuarded(prepare(adapter.transaction(tx, options), options), tx, work)),
    queryPrepared: (db, options = {}) =>
      inCall(options, async () => {
        const { executor, table } = outside(adapter, db, options);
        await drive(queryPrepared(suitable(executor.dialect, settle(options)), table, executor), executor, table);
      }),
    async createTable(db, options = {}) {
      const { executor, table } = outside(adapter, db, options);
      await drive(createTableSteps(executor.dialect, table), executor, table);
    },
    async cleanUp(db, options = {}) {
      const { executor, table } = outside(adapter, db, options);
      return await drive(cleanUpSteps(executor.dialect, table, options), executor, table);
    },
  };
}

/** What a run whose work has failed leaves behind. */
export interface Failed {
  /** The own row's, where it is known. */
  rowId?: Raw | undefined;
}

/**
 * The rows, then the work or not; whoever began commits.
 *
 * @param failed - Filled in when the work itself has failed.
 */
export async function runGuarded<Tx, R>(
  { guard, executor, table }: Prepared<PromiseLike<Reply> | Reply>,
  tx: Tx,
  work: (tx: Tx) => PromiseLike<R> | R,
  failed?: Failed,
): Promise<RunResult<R>> {
  requireWork(work);
  const inserted = await drive(insertRows(guard, table, executor), executor, table);
  if (decide(guard, IN_SQL, inserted) === "skip") return { ran: false, verdict: "skip" };
  let value: R;
  try {
    value = requireDone(await work(tx));
  } catch (cause) {
    if (failed !== undefined) failed.rowId = inserted.rowId;
    throw cause;
  }
  const left = await executor.left?.();
  if (left === "aborted") throw aborted();
  if (left === "ended") throw endedByWork();
  return { ran: true, value };
}

export function syncSqlBarrier<Tx>(adapter: Adapter<Reply>): SyncSqlBarrier<Tx> {
  return {
    run(tx, work, options = {}) {
      const { guard, executor, table } = prepare(adapter.transaction(tx, options), options);
      requireWork(work);
      requireSync(work);
      const inserted = driveNow(insertRows(guard, table, executor), executor, table);
      if (decide(guard, IN_SQL, inserted) === "skip") return { ran: false, verdict: "skip" };
      return { ran: true, value: requireDone(mustBeSync(work(tx))) };
    },
    queryPrepared(db, options = {}) {
      const { executor, table } = outside(adapter, db, options);
      driveNow(queryPrepared(suitable(executor.dialect, settle(options)), table, executor), executor, table);
    },
    createTable(db, options = {}) {
      const { executor, table } = outside(adapter, db, options);
      driveNow(createTableSteps(executor.dialect, table), executor, table);
    },
    cleanUp(db, options = {}) {
      const { executor, table } = outside(adapter, db, options);
      return driveNow(cleanUpSteps(executor.dialect, table, options), executor, table);
    },
  };
}

/** A guard, and where its rows go. */
export interface Prepared<Answer> {
  readonly guard: Guard;
  readonly executor: Executor<Answer>;
  readonly table: TableName;
}

/** Everything that can be refused without a statement is refused here. */
export function prepare<Answer>(
  executor: Executor<Answer>,
  options: SqlRunOptions,
  guard: Guard = settle(options),
): Prepared<Answer> {
  if (executor.open === false) throw notOpen();
  const table = tableName(executor.dialect, options.table);
  return { guard: suitable(executor.dialect, guard), executor, table };
}

/**
 * A guard for the rows of one database. MySQL's usual collations don't see spaces at the end, so two branches would share a row.
 *
 * @throws DtmError BRANCH_INVALID
 */
function suitable(dialect: Executor["dialect"], guard: Guard): Guard {
  if (dialect === "mysql") refuseSpaceAtEnd(guard.branch);
  return guard;
}

interface Outside<Answer> {
  readonly executor: Executor<Answer>;
  readonly table: TableName;
}

/** What is written here must be durable at once, so an open transaction is refused. */
function outside<Answer>(adapter: Adapter<Answer>, db: unknown, options: TableOption): Outside<Answer> {
  const executor = adapter.database(db);
  if (executor.open === true) throw transactionOpen();
  return { executor, table: tableName(executor.dialect, options.table) };
}
