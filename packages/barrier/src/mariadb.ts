/** The barrier inside a transaction of the `mariadb` connector (its promise API). */
import { committed, onConnection, onPool } from "./sql/committed.js";
import { mysqlQuery } from "./sql/mysql-query.js";
import { mysqlReply } from "./sql/mysql-reply.js";
import { mysqlConnect } from "./sql/mysql-session.js";
import { notATransaction, ofDriver, poolOf } from "./sql/recognise.js";
import type { PreparedOption } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Reply } from "./sql/statement.js";
import { type PoolAdapter, type PoolBarrier, poolBarrier } from "./sql/transaction.js";

/** A connection of `mariadb`, or the one that `pool.getConnection()` gave. */
export interface MariadbTransactionLike extends MariadbDatabaseLike {
  beginTransaction(): Promise<void>;
  queryStream(...given: never[]): unknown;
}

/** A pool or connection of `mariadb`. */
export interface MariadbDatabaseLike {
  query(sql: string, values?: unknown): Promise<unknown>;
  execute(sql: string, values?: unknown): Promise<unknown>;
  importFile(...given: never[]): unknown;
}

/** A pool of `mariadb`. */
export interface MariadbPoolLike extends MariadbDatabaseLike {
  getConnection(): Promise<MariadbTransactionLike>;
}

const adapter: PoolAdapter = {
  transaction(tx, { prepared }) {
    const found = ofDriver("mariadb", tx);
    if (found.role === "pool") throw notATransaction(found);
    return begun(tx, prepared);
  },
  database(db) {
    if (ofDriver("mariadb", db).role === "pool") {
      const connect = () => mysqlConnect(db, begun);
      return committed(
        executor(db as MariadbSender, null, false),
        onPool(connect, (connection) => begun(connection, false)),
      );
    }
    const made = executor(db as MariadbSender, db, false);
    return committed(made, onConnection(made, db as MariadbEnding));
  },
  async connect(pool) {
    poolOf("mariadb", pool);
    return await mysqlConnect(pool, begun);
  },
};

/**
 * The barrier for `mariadb`.
 *
 * @example
 * await barrier.transaction(pool, (connection) => connection.query("update account set balance = balance - ? where id = ?", [30, id]));
 *
 * @example
 * // In a transaction of your own:
 * const connection = await pool.getConnection();
 * try {
 *   await connection.beginTransaction();
 *   await barrier.run(connection, () => connection.query("update account set balance = balance - ? where id = ?", [30, id]));
 *   await connection.commit();
 * } catch (cause) {
 *   await connection.rollback();
 *   throw cause;
 * } finally {
 *   await connection.release();
 * }
 */
export const barrier: PoolBarrier<MariadbTransactionLike, MariadbDatabaseLike, MariadbPoolLike> = poolBarrier(adapter);

/** A connection. */
interface MariadbEnding {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** What the driver's pools and connections take: a statement, or one with options of its own. */
interface MariadbSender {
  query(query: string | object, values: unknown): Promise<unknown>;
  execute(query: string | object, values: unknown): Promise<unknown>;
}

function begun(connection: unknown, prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return executor(connection as MariadbSender, connection, prepared);
}

/** `connection` is where the driver keeps the server's last status; null for a pool, whose statements stand alone. */
function executor(target: MariadbSender, connection: unknown, prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return {
    dialect: "mysql",
    open: connection === null ? false : (inTransaction(connection) ?? "unasked"),
    // Of the last answer that wasn't an error: a deadlock that the work swallowed shows with its next statement.
    left: () => (inTransaction(connection) === false ? "ended" : "open"),
    async send(statement) {
      const method = prepared === true && statement.name !== undefined ? "execute" : "query";
      const reply = mysqlReply(statement, await target[method](mysqlQuery(statement), statement.values));
      return connection === null ? reply : { ...reply, open: inTransaction(connection) };
    },
  };
}

/** SERVER_STATUS_IN_TRANS of the server's last answer. */
function inTransaction(connection: unknown): boolean | undefined {
  const info = isRecord(connection) ? connection["info"] : undefined;
  const status = isRecord(info) ? info["status"] : undefined;
  return typeof status === "number" ? (status & 1) !== 0 : undefined;
}
