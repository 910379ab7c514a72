/**
 * The barrier inside a transaction of TypeORM, on PostgreSQL, MySQL, MariaDB or SQLite.
 *
 * On SQLite a DataSource has one connection and one QueryRunner, which all its users share: transactions at the same time are savepoints of
 * each other, "committed" by whoever comes last, and what is written outside of them is written inside. So they are refused.
 */
import { DtmError } from "@dtm/protocol";
import { committed, refuseOpen } from "./sql/committed.js";
import { mysqlReply } from "./sql/mysql-reply.js";
import { pgLeft } from "./sql/pg-status.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, inDialect, isRecord, type Reply, rowsOf } from "./sql/statement.js";

/** The `manager` of `dataSource.transaction(async (manager) => …)`, or a `QueryRunner` after `startTransaction()`. */
export interface TypeormTransactionLike {
  query<T = unknown>(sql: string, values?: unknown[]): Promise<T>;
}

/** A `DataSource`, or its manager. */
export type TypeormDatabaseLike = TypeormTransactionLike;

const adapter: Adapter<Promise<Reply>> = {
  transaction(tx) {
    const found = ofDriver("typeorm", tx);
    if (found.role !== "connection") throw notATransaction(found);
    const made = executor(tx as TypeormTransactionLike, isActive(tx));
    if (made.dialect === "sqlite" && made.open) requireAlone(tx);
    return made;
  },
  database(db) {
    const { role } = ofDriver("typeorm", db);
    const made = executor(db as TypeormDatabaseLike, isActive(db));
    if (role === "pool" && made.open) throw sharedConnectionBusy();
    return committed(made, async (send) => {
      // Begun by a statement of the caller's own, it is unknown to the runner, whose BEGIN would commit it.
      if (role === "connection") await refuseOpen(made);
      return await managerOf(db).transaction((manager) => send(executor(manager, true)));
    });
  },
};

const joined = sqlBarrier<TypeormTransactionLike, TypeormDatabaseLike>(adapter);

/**
 * The barrier for TypeORM.
 *
 * @example
 * await dataSource.transaction(async (manager) => {
 *   await barrier.run(manager, () => manager.decrement(Account, { id }, "balance", 30));
 * });
 */
export const barrier: SqlBarrier<TypeormTransactionLike, TypeormDatabaseLike> = {
  ...joined,
  run: (tx, work, options) => joined.run(tx, (open) => (isSqlite(open) ? workAlone(open, work) : work(open)), options),
};

/** Work is done only when nobody has come into its transaction: the commit after it would commit nothing. */
async function workAlone<T extends TypeormTransactionLike, R>(tx: T, work: (tx: T) => PromiseLike<R> | R): Promise<R> {
  let value: R;
  try {
    value = await work(tx);
  } catch (cause) {
    markMixed(tx);
    throw cause;
  }
  if (!markMixed(tx) && isActive(tx)) return value;
  throw savepoint();
}

/** Runners on which a guarded transaction ended while another one was a savepoint inside it, and so left its rows to that one. */
const mixed = new WeakSet<object>();

function markMixed(tx: TypeormTransactionLike): boolean {
  const runner = runnerOf(tx);
  if (runner === null || depthOf(runner) <= 1) return false;
  mixed.add(runner);
  return true;
}

/** @throws DtmError NOT_A_TRANSACTION in a savepoint; its rollback takes along what the transaction around it has left behind. */
function requireAlone(tx: unknown): void {
  const runner = runnerOf(tx);
  if (runner === null) return;
  if (depthOf(runner) > 1 || mixed.delete(runner)) throw savepoint();
}

/** Versions without savepoints don't count; they refuse a second transaction themselves. */
function depthOf(runner: Record<string, unknown>): number {
  const depth = runner["transactionDepth"];
  return typeof depth === "number" ? depth : 1;
}

function savepoint(): DtmError {
  return new DtmError(
    "NOT_A_TRANSACTION",
    "expected a transaction that is alone on its DataSource of SQLite, found savepoints of transactions at the same time (or nested): " +
      "TypeORM has one connection per DataSource there, so run one transaction at a time, with a mutex, or give each handler a DataSource",
  );
}

function sharedConnectionBusy(): DtmError {
  return new DtmError(
    "TRANSACTION_OPEN",
    "expected a DataSource of SQLite on which no transaction is open, found one: TypeORM has one connection per DataSource there, " +
      "so what is written now could still be rolled back with it",
  );
}

function executor(target: TypeormTransactionLike, open: boolean): Executor<Promise<Reply>> {
  const dialect = dialectOf(target);
  return {
    dialect,
    open,
    // On PostgreSQL a runner's connection is a client of pg.
    left: () => pgLeft(runnerOf(target)?.["databaseConnection"]),
    async send(statement) {
      const answer: unknown = await target.query(inDialect(dialect, statement), statement.values);
      switch (dialect) {
        case "postgres":
          return { rows: rowsOf(answer) };
        case "mysql":
          return mysqlReply(statement, answer);
        case "sqlite":
          // Asked again: a transaction of somebody else's may have begun or ended on the connection since it was asked first.
          return { rows: rowsOf(answer), open: isActive(target) };
      }
    },
  };
}

interface TypeormManager {
  transaction<T>(work: (manager: TypeormTransactionLike) => Promise<T>): Promise<T>;
}

/** A DataSource and a QueryRunner have one each. */
function managerOf(target: unknown): TypeormManager {
  const manager: unknown = isRecord(target) ? target["manager"] : undefined;
  return (isRecord(manager) ? manager : target) as TypeormManager;
}

function isActive(target: unknown): boolean {
  return runnerOf(target)?.["isTransactionActive"] === true;
}

/** A manager has its runner, a runner is one; on SQLite the driver has the one that all share. Null where each statement gets its own. */
function runnerOf(target: unknown): Record<string, unknown> | null {
  if (!isRecord(target)) return null;
  if (typeof target["isTransactionActive"] === "boolean") return target;
  if (isRecord(target["queryRunner"])) return target["queryRunner"];
  const driver = sourceOf(target)?.["driver"];
  return isRecord(driver) && isRecord(driver["queryRunner"]) ? driver["queryRunner"] : null;
}

/** CockroachDB isn't among them: it repeats statements by itself, as TypeORM remembers them. Nor is Aurora, whose answers have another shape. */
const TYPES: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["postgres", "postgres"],
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite", "sqlite"],
  ["better-sqlite3", "sqlite"],
  ["sqljs", "sqlite"],
]);

function isSqlite(target: TypeormTransactionLike): boolean {
  return dialectOf(target) === "sqlite";
}

function dialectOf(target: TypeormTransactionLike): Dialect {
  const options = sourceOf(target)?.["options"];
  const type = isRecord(options) ? options["type"] : undefined;
  const dialect = TYPES.get(type);
  if (dialect !== undefined) return dialect;
  throw new DtmError(
    "WRONG_DRIVER",
    `expected a DataSource of type postgres, mysql, mariadb, sqlite, better-sqlite3 or sqljs, found type ${String(type)}`,
  );
}

/** A DataSource names its type; managers and runners know their DataSource (called `connection` before version 1). */
function sourceOf(target: object): Record<string, unknown> | undefined {
  return [target, Reflect.get(target, "dataSource"), Reflect.get(target, "connection")].find(
    (candidate: unknown): candidate is Record<string, unknown> =>
      isRecord(candidate) && isRecord(candidate["options"]) && typeof candidate["options"]["type"] === "string",
  );
}
