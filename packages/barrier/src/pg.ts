/** The barrier inside a transaction of `pg`. */

import { type PgWire, sendInsert, wireOf } from "./sql/pg-insert.js";
import { doubt, learn, mayName } from "./sql/pg-named.js";
import { pooled } from "./sql/pg-pooled.js";
import { pgLeft, pgSettled, pgStatus } from "./sql/pg-status.js";
import { notATransaction, ofDriver, poolOf } from "./sql/recognise.js";
import { aborted, leftOpen } from "./sql/rows.js";
import type { PreparedOption } from "./sql/sql-barrier.js";
import { type Executor, isRecord, type Left, type Reply, rowsOf, type Statement, withNumbers } from "./sql/statement.js";
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
    return begun(tx as PgSender, prepared);
  },
  database(db) {
    const { role } = ofDriver("pg", db);
    return executor(db as PgSender, role === "pool" ? false : pgStatus(db), false);
  },
  async connect(pool) {
    poolOf("pg", pool);
    const client = await pooled(pool as { connect(): Promise<PgPooled> });
    try {
      // Whoever had it before may not have waited for his COMMIT.
      const settled = pgSettled(client);
      if (settled !== null) await settled;
      if (pgStatus(client) === true) throw leftOpen();
    } catch (cause) {
      client.release(true);
      throw cause;
    }
    return new PgSession(client);
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

class PgSession implements Session {
  constructor(readonly tx: PgPooled) {}

  async begin({ prepared }: PreparedOption): Promise<Executor> {
    const wire = mayName(this.tx, prepared) ? wireOf(this.tx) : null;
    if (wire !== null) return new Counting(this.tx, wire, true);
    await this.tx.query("begin");
    return begun(this.tx, prepared);
  }

  async commit(): Promise<void> {
    const answer = await this.tx.query("commit");
    // With a pg that doesn't keep the server's status, an error that the work swallowed is seen here.
    if (isRecord(answer) && answer["command"] === "ROLLBACK") throw aborted();
  }

  rollback(): Promise<unknown> {
    return this.tx.query("rollback");
  }

  release(broken: boolean): void {
    this.tx.release(broken);
  }
}

/** A connection that knows the barrier's insert by its name. */
class Counting implements Executor<Promise<Reply>> {
  readonly dialect = "postgres";
  readonly open = true;
  readonly counts = true;

  /** @param begins - The connection's transaction is begun by its first statement. */
  constructor(
    private readonly client: PgSender,
    private readonly wire: PgWire,
    private readonly begins: boolean,
  ) {}

  left(): Promise<Left> | Left {
    return pgLeft(this.client);
  }

  async send(statement: Statement): Promise<Reply> {
    const { name, values } = statement;
    const text = withNumbers(statement);
    if (name === undefined) {
      if (this.begins) throw new Error("expected a transaction to begin with the barrier's insert, which has a name");
      await this.client.query(text, values);
      return {};
    }
    try {
      const affected = await sendInsert(this.wire, { name, text, values }, this.begins);
      return { affected, open: openAfter(this.client) };
    } catch (cause) {
      doubt(this.client, name, cause);
      throw cause;
    }
  }
}

/** On a connection on which somebody has begun a transaction. */
function begun(client: PgSender, prepared: PreparedOption["prepared"]): Executor<Promise<Reply>> {
  const open = pgStatus(client);
  // Without the server's status nobody would know that the insert stood alone.
  const wire = open === true && mayName(client, prepared) ? wireOf(client) : null;
  return wire === null ? executor(client, open, prepared) : new Counting(client, wire, false);
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
      return { rows, affected: rows?.length, open: openAfter(target) };
    },
  };
}

/** A COMMIT that nobody awaited was sent before the statement, which stood alone then. */
function openAfter(client: unknown): Reply["open"] {
  const status = pgStatus(client);
  return status === "unasked" ? undefined : status;
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
