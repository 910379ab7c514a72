/** A connection that a pool of one of MySQL's drivers gave, for one transaction: their names for it are the same. */
import { BEGIN_ANEW, beginsAnew, mariadbOpening } from "./mariadb-opening.js";
import type { PoolAdapter, Session } from "./transaction.js";

interface MysqlPool {
  getConnection(): Promise<PooledConnection>;
}

interface PooledConnection {
  readonly threadId?: unknown;
  query(sql: string): Promise<unknown>;
  beginTransaction(): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): Promise<void> | void;
  destroy(): void;
}

/** `given` has been recognised as a pool. */
export async function mysqlConnect(given: unknown, transaction: PoolAdapter["transaction"]): Promise<Session> {
  const pool = given as MysqlPool;
  const connection = await pool.getConnection();
  /** What somebody left open on the connection is rolled back: BEGIN alone would commit his half-done work. */
  const begin = async (): Promise<unknown> => {
    if (beginsAnew(pool)) return await connection.query(BEGIN_ANEW);
    await connection.rollback();
    return await connection.beginTransaction();
  };
  return {
    tx: connection,
    begin,
    opening(options) {
      // What is to be prepared is the insert alone.
      if (options.prepared === true) return null;
      return mariadbOpening({ pool, connection, begin }, transaction(connection, options));
    },
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
    release: (broken) => (broken ? connection.destroy() : connection.release()),
  };
}
