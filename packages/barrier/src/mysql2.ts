/** The barrier inside a transaction of `mysql2`: its promise connections and its callback connections. */
import { DtmError } from "@dtm/protocol";
import { committed, onConnection, onPool } from "./sql/committed.js";
import { mysqlQuery } from "./sql/mysql-query.js";
import { mysqlReply } from "./sql/mysql-reply.js";
import { mysqlConnect } from "./sql/mysql-session.js";
import { notATransaction, ofDriver, poolOf } from "./sql/recognise.js";
import type { PreparedOption } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Reply, type Statement } from "./sql/statement.js";
import { type PoolAdapter, type PoolBarrier, poolBarrier } from "./sql/transaction.js";

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

/** A pool of `mysql2/promise`; of one with callbacks, its `pool.promise()`. */
export interface Mysql2PoolLike extends Mysql2DatabaseLike {
  getConnection(): Promise<Mysql2TransactionLike>;
}

const adapter: PoolAdapter = {
  transaction(tx, { prepared }) {
    const found = ofDriver("mysql2", tx);
    if (found.role === "pool") throw notATransaction(found);
    return begun(tx, prepared);
  },
  database(db) {
    const { role } = ofDriver("mysql2", db);
    const target = withPromises(db);
    if (role === "pool") {
      const connect = () => mysqlConnect(target, begun);
      return committed(
        executor(target, false, false),
        onPool(connect, (connection) => begun(connection, false)),
      );
    }
    const made = executor(target, "unasked", false);
    return committed(made, onConnection(made, target as Mysql2Ending));
  },
  async connect(pool) {
    poolOf("mysql2", pool);
    if (hasCallbacks(pool)) throw notPromises();
    return await mysqlConnect(pool, begun);
  },
};

/**
 * The barrier for `mysql2`.
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
 *   connection.release();
 * }
 */
export const barrier: PoolBarrier<Mysql2TransactionLike, Mysql2DatabaseLike, Mysql2PoolLike> = poolBarrier(adapter);

type Send = (query: string | object, values: unknown[], done?: (cause: unknown, answer: unknown) => void) => unknown;

/** mysql2 doesn't keep the server's status, so whether a transaction is open is read from the insert's own answer. */
function begun(connection: unknown, prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return executor(connection, "unasked", prepared);
}

function executor(target: unknown, open: Executor["open"], prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return {
    dialect: "mysql",
    open,
    send(statement) {
      const { owner, send, later } = senderOf(target, prepared === true && statement.name !== undefined ? "execute" : "query");
      const query = mysqlQuery(statement);
      const { values } = statement;
      if (later) return replied(statement, Reflect.apply(send, owner, [query, values]));
      return new Promise((resolve, reject) => {
        Reflect.apply(send, owner, [query, values, answered]);
        function answered(cause: unknown, answer: unknown): void {
          if (cause) reject(cause);
          else resolve(mysqlReply(statement, answer));
        }
      });
    },
  };
}

async function replied(statement: Statement, answer: unknown): Promise<Reply> {
  return mysqlReply(statement, await answer);
}

/** Promise connections and pools wrap a callback one; those have `promise()` to be wrapped. */
function hasCallbacks(target: unknown): boolean {
  return isRecord(target) && typeof target["promise"] === "function";
}

/** The same pool or connection. */
function withPromises(target: unknown): unknown {
  const promise: unknown = hasCallbacks(target) ? Reflect.get(Object(target), "promise") : undefined;
  return typeof promise === "function" ? Reflect.apply(promise, target, []) : target;
}

/** A connection of `mysql2/promise`. */
interface Mysql2Ending {
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
}

function notPromises(): DtmError {
  return new DtmError("NOT_A_POOL", "expected a pool of mysql2/promise, found one with callbacks: give pool.promise()");
}

/**
 * A promise connection takes down the stack of every call, for the error's sake, which costs more than all else that it does: the barrier's
 * own statements go to the connection inside, unless somebody has put a query method of his own around it.
 */
function innermost(target: Record<string, unknown>): Record<string, unknown> {
  const { connection } = target;
  const plain = target["query"] === Reflect.get(Object.getPrototypeOf(target) ?? target, "query");
  return plain && isRecord(connection) && hasCallbacks(connection) ? connection : target;
}

function senderOf(target: unknown, method: "query" | "execute"): { owner: unknown; send: Send; later: boolean } {
  const owner = isRecord(target) ? innermost(target) : undefined;
  const send = owner?.[method];
  if (typeof send !== "function") throw new Error(`expected a mysql2 object to have a ${method} method, found none`);
  return { owner, send: send as Send, later: !hasCallbacks(owner) };
}
