/** The barrier inside a transaction of Knex, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { committed } from "./sql/committed.js";
import { mysqlReply } from "./sql/mysql-reply.js";
import { pgLeft } from "./sql/pg-status.js";
import { notATransaction, notOpenAnyMore, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, isRecord, type Reply, rowsOf, type Statement, withQuestionMarks } from "./sql/statement.js";

/** The `trx` of `knex.transaction(async (trx) => …)`, or of `await knex.transaction()`. */
export interface KnexTransactionLike extends KnexLike {
  isCompleted(): boolean;
}

/** A Knex instance. */
export interface KnexLike {
  raw(sql: string, bindings: readonly (string | number)[]): PromiseLike<unknown>;
  client: unknown;
}

const adapter: Adapter<Promise<Reply>> = {
  transaction(tx) {
    const found = ofDriver("knex", tx);
    if (found.role !== "transaction") throw notATransaction(found);
    const trx = tx as KnexTransactionLike;
    if (trx.isCompleted()) throw notOpenAnyMore(found);
    return executor(trx, true);
  },
  database(db) {
    const made = executor(db as KnexLike, ofDriver("knex", db).role === "transaction");
    return committed(made, (send) => (db as KnexBeginning).transaction((trx) => send(executor(trx, true))));
  },
};

/**
 * The barrier for Knex.
 *
 * @example
 * await knex.transaction(async (trx) => {
 *   await barrier.run(trx, () => trx("account").where({ id }).decrement("balance", 30));
 * });
 */
export const barrier: SqlBarrier<KnexTransactionLike, KnexLike> = sqlBarrier(adapter);

interface KnexBeginning {
  transaction<T>(work: (trx: KnexLike) => Promise<T>): Promise<T>;
}

function executor(target: KnexLike, open: boolean): Executor<Promise<Reply>> {
  const dialect = dialectOf(target.client);
  return {
    dialect,
    open,
    left: async () => (open && dialect === "postgres" ? pgLeft(await connectionOf(target.client)) : "open"),
    async send(statement) {
      return replyOf(dialect, statement, await target.raw(withQuestionMarks(statement), statement.values));
    },
  };
}

/** Inside a transaction a client of Knex gives the transaction's own connection, and sends nothing. */
async function connectionOf(client: unknown): Promise<unknown> {
  const acquire = isRecord(client) ? client["acquireConnection"] : undefined;
  return typeof acquire === "function" ? await Reflect.apply(acquire, client, []) : undefined;
}

function replyOf(dialect: Dialect, statement: Statement, answer: unknown): Reply {
  switch (dialect) {
    case "postgres":
      // An application's postProcessResponse may have unwrapped them.
      return { rows: rowsOf(isRecord(answer) && "rows" in answer ? answer["rows"] : answer) };
    case "mysql":
      return mysqlReply(statement, answer);
    case "sqlite":
      return { rows: rowsOf(answer) };
  }
}

const DIALECTS: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["postgresql", "postgres"],
  ["mysql", "mysql"],
  ["mysql2", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite3", "sqlite"],
  ["better-sqlite3", "sqlite"],
]);

function dialectOf(client: unknown): Dialect {
  const name = isRecord(client) ? client["dialect"] : undefined;
  const dialect = DIALECTS.get(name);
  if (dialect !== undefined) return dialect;
  throw new DtmError("WRONG_DRIVER", `expected a Knex client for PostgreSQL, MySQL, MariaDB or SQLite, found ${String(name)}`);
}
