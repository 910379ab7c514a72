/** The barrier inside a transaction of `mysql2`: its promise connections and its callback connections. */
import { mysqlReply } from "./sql/mysql-reply.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type PreparedOption, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Reply, withQuestionMarks } from "./sql/statement.js";

/** A connection of `mysql2/promise` or `mysql2`, or the one that `pool.getConnection()` gave. */
export interface Mysql2TransactionLike {
  // biome-ignore lint/suspicious/noConfusingVoidType: what a callback connection's beginTransaction returns
  beginTransaction(...given: never[]): Promise<unknown> | void;
  changeUser(...given: never[]): unknown;
  query(...given: never[]): unknown;
  /** Only a pool gives connections. */
  readonly getConnection?: never;
}

/** A pool or connection of `mysql2/promise` or `mysql2`. */
export interface Mysql2DatabaseLike {
  query(...given: never[]): unknown;
  execute(...given: never[]): unknown;
}

const adapter: Adapter<Promise<Reply>> = {
  name: "mysql2",
  transaction(tx, { prepared }) {
    const found = ofDriver("mysql2", tx);
    if (found.role === "pool") throw notATransaction(found);
    // mysql2 doesn't keep the server's status, so whether a transaction is open is read from the insert's own answer.
    return executor(tx, "unasked", prepared);
  },
  database(db) {
    return executor(db, ofDriver("mysql2", db).role === "pool" ? false : "unasked", false);
  },
};

/**
 * The barrier for `mysql2`.
 *
 * @example
 * const connection = await pool.getConnection();
 * try {
 *   await connection.beginTransaction();
 *   await barrier.run(connection, () => connection.query("update account set balance = balance - ? where id = ?", [30, id]));
 *   await connection.commit();
 * } catch (cause) {
 *   await connection.rollback();
 *   throw cause;
 * } finally {
 *   connection.release();
 * }
 */
export const barrier: SqlBarrier<Mysql2TransactionLike, Mysql2DatabaseLike> = sqlBarrier(adapter);

type Send = (sql: string, values: unknown[], done?: (cause: unknown, answer: unknown) => void) => unknown;

function executor(target: unknown, open: Executor["open"], prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return {
    dialect: "mysql",
    open,
    async send(statement) {
      const { owner, send, later } = senderOf(target, prepared === true && statement.name !== undefined ? "execute" : "query");
      const sql = withQuestionMarks(statement);
      const { values } = statement;
      if (later) return mysqlReply(statement, await Reflect.apply(send, owner, [sql, values]));
      return await new Promise<Reply>((resolve, reject) => {
        Reflect.apply(send, owner, [sql, values, answered]);
        function answered(cause: unknown, answer: unknown): void {
          if (cause) reject(cause);
          else resolve(mysqlReply(statement, answer));
        }
      });
    },
  };
}

/** Promise connections and pools wrap a callback one, and are told by it; those have `promise()` to be wrapped. */
function senderOf(target: unknown, method: "query" | "execute"): { owner: unknown; send: Send; later: boolean } {
  const send: unknown = isRecord(target) ? target[method] : undefined;
  if (!isRecord(target) || typeof send !== "function")
    throw new Error(`expected a mysql2 object to have a ${method} method, found none`);
  return { owner: target, send: send as Send, later: typeof target["promise"] !== "function" };
}
