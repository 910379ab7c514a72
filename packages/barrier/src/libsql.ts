/**
 * The barrier inside a transaction of `libsql` or `better-sqlite3`, which have the same synchronous interface: `run` answers at
 * once, and its work must be synchronous.
 */
import { ofDriver } from "./sql/recognise.js";
import { type Adapter, type SyncSqlBarrier, syncSqlBarrier } from "./sql/sql-barrier.js";
import { type Reply, rowsOf, type Statement, withQuestionMarks } from "./sql/statement.js";

/** A `Database` of libsql or better-sqlite3; its transaction is the connection's. */
export interface SqliteDatabaseLike {
  prepare(sql: string): { all(...values: unknown[]): unknown[]; run(...values: unknown[]): unknown };
  exec(sql: string): unknown;
  readonly inTransaction: boolean;
}

const adapter: Adapter<Reply> = {
  transaction(tx) {
    const db = databaseOf(tx);
    return { dialect: "sqlite", open: db.inTransaction, send: (statement) => send(db, statement) };
  },
  database(given) {
    const db = databaseOf(given);
    return { dialect: "sqlite", open: db.inTransaction, send: (statement) => sendAlone(db, statement) };
  },
};

/**
 * The barrier for `libsql` and `better-sqlite3`. The table is `barrier` unless the options name another.
 *
 * @example
 * db.transaction(() => {
 *   barrier.run(db, () => db.prepare("update account set balance = balance - ? where id = ?").run(30, id));
 * }).immediate();
 */
export const barrier: SyncSqlBarrier<SqliteDatabaseLike> = syncSqlBarrier(adapter);

function databaseOf(given: unknown): SqliteDatabaseLike {
  ofDriver("libsql", given);
  return given as SqliteDatabaseLike;
}

function send(db: SqliteDatabaseLike, statement: Statement): Reply {
  const prepared = db.prepare(withQuestionMarks(statement));
  if (statement.expects === "rows") return { rows: rowsOf(prepared.all(...statement.values)) };
  prepared.run(...statement.values);
  return {};
}

/**
 * In a transaction of its own: libsql leaves a statement that met a lock unfinished, and what is written on that connection
 * afterwards without BEGIN isn't committed before the garbage collector has found it.
 */
function sendAlone(db: SqliteDatabaseLike, statement: Statement): Reply {
  db.exec("begin immediate");
  try {
    const reply = send(db, statement);
    db.exec("commit");
    return reply;
  } catch (cause) {
    db.exec("rollback");
    throw cause;
  }
}
