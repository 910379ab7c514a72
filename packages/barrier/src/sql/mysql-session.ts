/** A connection that a pool of one of MySQL's drivers gave, for one transaction: their names for it are the same. */
import type { Session } from "./transaction.js";

interface PooledConnection {
  beginTransaction(): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): Promise<void> | void;
  destroy(): void;
}

/** `pool` has been recognised. */
export async function mysqlConnect(pool: unknown): Promise<Session> {
  const connection = await (pool as { getConnection(): Promise<PooledConnection> }).getConnection();
  return {
    tx: connection,
    begin: () => connection.beginTransaction(),
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
    release: (broken) => (broken ? connection.destroy() : connection.release()),
  };
}
