/** The barrier inside a transaction of `pg`. */
import { doubt, learn, mayName } from "./sql/pg-named.js";
import { pgAborted, pgStatus } from "./sql/pg-status.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type PreparedOption, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
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
  transaction(tx, { prepared }) {
    const found = ofDriver("pg", tx);
    if (found.role === "pool") throw notATransaction(found);
    return executor(tx as PgSender, pgStatus(tx), prepared);
  },
  database(db) {
    const { role } = ofDriver("pg", db);
    return executor(db as PgSender, role === "pool" ? false : pgStatus(db), false);
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

function executor(target: PgSender, open: Executor["open"], prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return {
    dialect: "postgres",
    open,
    // Who decides by himself needs no proof.
    asksPid: prepared === undefined,
    aborted: () => pgAborted(target),
    async send(statement) {
      const rows = rowsOf(await answerOf(target, statement, prepared));
      if (prepared === undefined) learn(target, rows);
      // A COMMIT that nobody awaited was sent before it, and the statement stood alone.
      const after = pgStatus(target);
      return { rows, affected: rows?.length, open: after === "unasked" ? undefined : after };
    },
  };
}

async function answerOf(target: PgSender, statement: Statement, prepared: PreparedOption["prepared"]): Promise<unknown> {
  const { name, values } = statement;
  const text = withNumbers(statement);
  if (name === undefined || !mayName(target, prepared)) return rowsIn(await target.query(text, values));
  try {
    return rowsIn(await target.query({ name, text, values }));
  } catch (cause) {
    doubt(cause);
    throw cause;
  }
}

/** What pg's own clients take. */
interface PgSender {
  query(text: string, values: unknown[]): Promise<unknown>;
  query(config: { readonly name: string; readonly text: string; readonly values: unknown[] }): Promise<unknown>;
}

function rowsIn(answer: unknown): unknown {
  return isRecord(answer) ? answer["rows"] : undefined;
}
