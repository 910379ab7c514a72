/** The barrier inside a transaction of `pg`. */
import { pgAborted, pgStatus } from "./sql/pg-status.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Reply, rowsOf, type Statement, withNumbers } from "./sql/statement.js";

/** A `Client` of pg, or the client that `pool.connect()` gave. */
export interface PgTransactionLike {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>;
  escapeIdentifier(text: string): string;
  /** Only a pool counts its clients. */
  readonly totalCount?: never;
}

/** A `Pool` or `Client` of pg. */
export interface PgDatabaseLike {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>;
}

const adapter: Adapter<Promise<Reply>> = {
  name: "pg",
  transaction(tx) {
    const found = ofDriver("pg", tx);
    if (found.role === "pool") throw notATransaction(found);
    return executor(tx as PgTransactionLike, pgStatus(tx));
  },
  database(db) {
    const { role } = ofDriver("pg", db);
    return executor(db as PgDatabaseLike, role === "pool" ? false : pgStatus(db));
  },
};

/**
 * The barrier for `pg`.
 *
 * @example
 * const client = await pool.connect();
 * try {
 *   await client.query("begin");
 *   await barrier.run(client, () => client.query("update account set balance = balance - $1 where id = $2", [30, id]));
 *   await client.query("commit");
 * } catch (cause) {
 *   await client.query("rollback");
 *   throw cause;
 * } finally {
 *   client.release();
 * }
 */
export const barrier: SqlBarrier<PgTransactionLike, PgDatabaseLike> = sqlBarrier(adapter);

function executor(target: PgDatabaseLike, open: Executor["open"]): Executor<Promise<Reply>> {
  return {
    dialect: "postgres",
    open,
    aborted: () => pgAborted(target),
    async send(statement: Statement) {
      const answer: unknown = await target.query(withNumbers(statement), [...statement.values]);
      return { rows: rowsOf(isRecord(answer) ? answer["rows"] : undefined) };
    },
  };
}
