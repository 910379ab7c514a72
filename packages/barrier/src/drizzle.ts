/**
 * The barrier inside a transaction of Drizzle: PostgreSQL and MySQL, and SQLite both with drivers that answer at once
 * (better-sqlite3, libsql) and with those that answer later.
 */
import { DtmError } from "@dtm/protocol";
import { sql } from "drizzle-orm";
import type { RunResult } from "./barrier.js";
import type { CleanUpOptions, CleanUpResult } from "./schema.js";
import { committed, refuseOpen } from "./sql/committed.js";
import { mysqlReply } from "./sql/mysql-reply.js";
import { pgLeft, pgStatus } from "./sql/pg-status.js";
import { notATransaction, ofDriver, recognise } from "./sql/recognise.js";
import {
  type Adapter,
  type QueryPreparedOptions,
  type SqlRunOptions,
  sqlBarrier,
  syncSqlBarrier,
  type TableOption,
} from "./sql/sql-barrier.js";
import { type Dialect, type Executor, isRecord, type Reply, rowsOf, type Statement } from "./sql/statement.js";

/** The `tx` of `db.transaction(…)` on PostgreSQL or MySQL; a database outside a transaction has the same shape. */
export interface DrizzleServerLike {
  execute(query: never): PromiseLike<unknown>;
}

/** The `tx` of `db.transaction(…)` on SQLite with a driver that answers later. */
export interface DrizzleSqliteLike {
  all(query: never): PromiseLike<unknown[]>;
}

/** The `tx` of `db.transaction(…)` on SQLite with better-sqlite3 or libsql, which answer at once. */
export interface DrizzleSyncLike {
  all(query: never): unknown[];
}

type Later = DrizzleServerLike | DrizzleSqliteLike;

/** As the other drivers' barriers, and at once where the driver of SQLite answers at once. */
export interface DrizzleBarrier {
  /** Joins the caller's own transaction; with a driver that answers at once the work must be synchronous (WORK_IS_ASYNC). */
  run<T extends Later, R>(tx: T, work: (tx: T) => PromiseLike<R> | R, options?: SqlRunOptions): Promise<RunResult<R>>;
  run<T extends DrizzleSyncLike, R>(tx: T, work: (tx: T) => R, options?: SqlRunOptions): RunResult<R>;
  /** Answers the coordinator's question about a message. */
  queryPrepared(db: Later, options?: QueryPreparedOptions): Promise<void>;
  queryPrepared(db: DrizzleSyncLike, options?: QueryPreparedOptions): void;
  /** Creates the barrier's table unless it is there. */
  createTable(db: Later, options?: TableOption): Promise<void>;
  createTable(db: DrizzleSyncLike, options?: TableOption): void;
  /** Deletes the rows of branches that nobody will call again. */
  cleanUp(db: Later, options?: CleanUpOptions): Promise<CleanUpResult>;
  cleanUp(db: DrizzleSyncLike, options?: CleanUpOptions): CleanUpResult;
}

const answersLater = adapter(async (db, statement) => replyOf(db, statement, await send(db, statement)));
const later = sqlBarrier<unknown, unknown>({
  ...answersLater,
  database(db) {
    const made = answersLater.database(db);
    return committed(made, async (inside) => {
      // Begun by a statement of the caller's own, it would be committed by Drizzle's BEGIN.
      if (recognise(clientOf(db))?.role === "connection") await refuseOpen(made);
      return await (db as DrizzleBeginning).transaction((tx) => inside(answersLater.transaction(tx, {})));
    });
  },
});
const atOnce = syncSqlBarrier<unknown>(adapter((db, statement) => replyOf(db, statement, send(db, statement))));

/**
 * The barrier for Drizzle.
 *
 * @example
 * await db.transaction(async (tx) => {
 *   await barrier.run(tx, () => tx.update(account).set({ balance: sql`balance - 30` }).where(eq(account.id, id)));
 * });
 */
export const barrier = {
  run: (tx: unknown, work: (tx: unknown) => unknown, options?: SqlRunOptions) => of(tx).run(tx, work, options),
  queryPrepared: (db: unknown, options?: QueryPreparedOptions) => of(db).queryPrepared(db, options),
  createTable: (db: unknown, options?: TableOption) => of(db).createTable(db, options),
  cleanUp: (db: unknown, options?: CleanUpOptions) => of(db).cleanUp(db, options),
} as DrizzleBarrier;

interface DrizzleBeginning {
  transaction<T>(work: (tx: unknown) => Promise<T>): Promise<T>;
}

function of(db: unknown): typeof later | typeof atOnce {
  const isSync = isRecord(db) && recognise(db)?.driver === "drizzle" && db["resultKind"] === "sync";
  return isSync ? atOnce : later;
}

function adapter<Answer>(answer: (db: unknown, statement: Statement) => Answer): Adapter<Answer> {
  const executor = (db: unknown, open: boolean): Executor<Answer> => ({
    dialect: dialectOf(db),
    open,
    left: () => pgLeft(clientOf(db)),
    send: (statement) => answer(db, statement),
  });
  return {
    transaction(tx) {
      const found = ofDriver("drizzle", tx);
      if (found.role !== "transaction") throw notATransaction(found);
      return executor(tx, clientOpen(tx));
    },
    database: (db) => executor(db, ofDriver("drizzle", db).role === "transaction"),
  };
}

function send(db: unknown, statement: Statement): unknown {
  if (!isRecord(db)) throw new Error("expected an object of Drizzle");
  const query = sql.join(
    statement.parts.flatMap((part, i) => (i === 0 ? [sql.raw(part)] : [sql`${statement.values[i - 1]}`, sql.raw(part)])),
  );
  const method = dialectOf(db) === "sqlite" ? (statement.expects === "rows" ? "all" : "run") : "execute";
  const call: unknown = db[method];
  if (typeof call !== "function") throw new Error(`expected an object of Drizzle to have a method ${method}, found none`);
  return Reflect.apply(call, db, [query]);
}

function replyOf(db: unknown, statement: Statement, answer: unknown): Reply {
  switch (dialectOf(db)) {
    case "postgres":
      // node-postgres and most others give { rows }, postgres.js a list.
      return { rows: rowsOf(isRecord(answer) && "rows" in answer ? answer["rows"] : answer) };
    case "mysql":
      return mysqlReply(statement, answer);
    case "sqlite":
      return { rows: rowsOf(answer) };
  }
}

/** After its transaction's end a `tx` would go on writing to the connection, outside any: where pg is below, it is asked. */
function clientOpen(tx: unknown): boolean {
  return pgStatus(clientOf(tx)) !== false;
}

function clientOf(tx: unknown): unknown {
  const session = isRecord(tx) ? tx["session"] : undefined;
  return isRecord(session) ? session["client"] : undefined;
}

/** By the class that all of a dialect's databases and transactions extend. */
const BASES: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["PgDatabase", "postgres"],
  ["MySqlDatabase", "mysql"],
  ["BaseSQLiteDatabase", "sqlite"],
]);

function dialectOf(db: unknown): Dialect {
  for (let proto: unknown = db; isRecord(proto); proto = Object.getPrototypeOf(proto)) {
    const dialect = BASES.get(Reflect.get(proto.constructor, Symbol.for("drizzle:entityKind")));
    if (dialect !== undefined) return dialect;
  }
  throw new DtmError("WRONG_DRIVER", "expected a Drizzle database of PostgreSQL, MySQL or SQLite, found another");
}
