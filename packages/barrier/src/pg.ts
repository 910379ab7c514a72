/** The barrier inside a transaction of `pg`. */

import { doubt, learn, mayName } from "./sql/pg-named.js";
import { type PgWire, sendOpening, wireOf } from "./sql/pg-opening.js";
import { pooled } from "./sql/pg-pooled.js";
import { pgLeft, pgSettled, pgStatus } from "./sql/pg-status.js";
import { notATransaction, ofDriver, poolOf } from "./sql/recognise.js";
import { aborted, leftOpen } from "./sql/rows.js";
import type { PreparedOption } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Reply, rowsOf, type Statement, withNumbers } from "./sql/statement.js";
import { type PoolAdapter, type PoolBarrier, poolBarrier, type Session } from "./sql/transaction.js";

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

/** A `Pool` of pg. */
export interface PgPoolLike extends PgDatabaseLike {
  readonly totalCount: number;
  connect(...given: never[]): unknown;
}

const adapter: PoolAdapter = {
  transaction(tx, { prepared }) {
    const found = ofDriver("pg", tx);
    if (found.role === "pool") throw notATransaction(found);
    return executor(tx as PgSender, pgStatus(tx), prepared);
  },
  database(db) {
    const { role } = ofDriver("pg", db);
    return executor(db as PgSender, role === "pool" ? false : pgStatus(db), false);
  },
  async connect(pool) {
    poolOf("pg", pool);
    const client = await pooled(pool as { connect(): Promise<PgPooled> });
    const session = sessionOf(client);
    try {
      // Whoever had it before may not have waited for his COMMIT.
      await pgSettled(client);
      if (pgStatus(client) === true) throw leftOpen();
    } catch (cause) {
      await session.release(true);
      throw cause;
    }
    return session;
  },
};

/**
 * The barrier for `pg`.
 *
 * @example
 * await barrier.transaction(pool, (client) => client.query("update account set balance = balance - $1 where id = $2", [30, id]));
 *
 * @example
 * // In a transaction of your own:
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
export const barrier: PoolBarrier<PgTransactionLike, PgDatabaseLike, PgPoolLike> = poolBarrier(adapter);

function sessionOf(client: PgPooled): Session {
  return {
    tx: client,
    begin: () => client.query("begin"),
    opening({ prepared }) {
      const wire = mayName(client, prepared) ? wireOf(client) : null;
      return wire === null ? null : opening(client, wire);
    },
    async commit() {
      const answer = await client.query("commit");
      // With a pg that doesn't keep the server's status, an error that the work swallowed is seen here.
      if (isRecord(answer) && answer["command"] === "ROLLBACK") throw aborted();
    },
    rollback: () => client.query("rollback"),
    release: (broken) => client.release(broken),
  };
}

/** The connection's transaction is begun by its first statement. */
function opening(client: PgPooled, wire: PgWire): Executor<Promise<Reply>> {
  return {
    dialect: "postgres",
    open: true,
    counts: true,
    left: () => pgLeft(client),
    async send(statement) {
      const { name, values } = statement;
      if (name === undefined) throw new Error("expected a transaction to begin with the barrier's insert, which has a name");
      try {
        return { affected: await sendOpening(wire, { name, text: withNumbers(statement), values }) };
      } catch (cause) {
        doubt(client, name, cause);
        throw cause;
      }
    },
  };
}

function executor(target: PgSender, open: Executor["open"], prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  return {
    dialect: "postgres",
    open,
    // Who decides by himself needs no proof.
    asksPid: prepared === undefined,
    left: () => pgLeft(target),
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
    doubt(target, name, cause);
    throw cause;
  }
}

/** What a pool of pg gives. */
interface PgPooled extends PgSender {
  release(destroy: boolean): void;
  on?(event: "error", listener: () => void): unknown;
}

/** What pg's own clients take. */
interface PgSender {
  query(text: string, values?: unknown[]): Promise<unknown>;
  query(config: { readonly name: string; readonly text: string; readonly values: unknown[] }): Promise<unknown>;
}

function rowsIn(answer: unknown): unknown {
  return isRecord(answer) ? answer["rows"] : undefined;
}
