/** XA on PostgreSQL: PREPARE TRANSACTION takes the transaction off its connection at once, so that connections go back to the pool. */
import { type Branch, DtmError } from "@dtm/protocol";
import { pooled } from "../sql/pg-pooled.js";
import { pgSettled, pgStatus } from "../sql/pg-status.js";
import { leftOpen } from "../sql/rows.js";
import { tableName } from "../sql/table.js";
import {
  LOCK_WAIT_SECONDS,
  member,
  type Prepared,
  tableMissing,
  wrongPool,
  XA_ROW,
  type XaDatabase,
  type XaOptions,
  type XaSession,
} from "./database.js";
import { roomOf } from "./room.js";
import type { Xid } from "./xid.js";

/** A client of `pg`'s pool. */
export interface PgClientLike {
  query(text: string, values?: unknown[]): Promise<PgResultLike>;
  release(error?: Error | boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** What a client of `pg` answers. */
export interface PgResultLike {
  readonly command: string;
  readonly rows: unknown[];
  readonly rowCount: number | null;
}

/** A `Pool` of `pg`. */
export interface PgPoolLike<Client extends PgClientLike> {
  connect(): Promise<Client>;
  readonly totalCount: number;
  readonly options?: { readonly max?: unknown };
}

/**
 * PostgreSQL through pg, for XA branches.
 *
 * @param pool - A `Pool` of `pg`; a branch takes one of its clients for its phase 1. First phases leave one of its clients for phase 2, which needs
 * a pool of two at least.
 * @throws DtmError WRONG_DRIVER for what isn't one.
 */
export function xaPostgres<Client extends PgClientLike>(pool: PgPoolLike<Client>, options: XaOptions = {}): XaDatabase<Client> {
  if (typeof pool?.connect !== "function" || typeof pool.totalCount !== "number") throw wrongPool("a Pool of pg", pool);
  const table = tableName("postgres", options.table).full;
  let enabled = false;
  return {
    title: "PostgreSQL",
    // GIDSIZE of PostgreSQL is 200, with the NUL.
    maxXidBytes: 199,
    detachMs: 0,
    room: roomOf(pool, options.poolSize ?? pool.options?.max),
    async open() {
      const session = sessionOf(await pooled(pool), table);
      try {
        // What somebody left open would be prepared with the branch, and committed.
        await pgSettled(session.connection);
        if (pgStatus(session.connection) === true) throw leftOpen();
        if (!enabled) await requireEnabled(session.connection);
      } catch (cause) {
        session.destroy();
        throw cause;
      }
      enabled = true;
      return session;
    },
  };
}

/** Without it phase 1 fails only at its very end, after the work and the registration. */
async function requireEnabled(client: PgClientLike): Promise<void> {
  const { rows } = await client.query("show max_prepared_transactions");
  if (Number(member(rows[0], "max_prepared_transactions")) > 0) return;
  throw new DtmError(
    "XA_UNSUPPORTED",
    "expected PostgreSQL with max_prepared_transactions above 0, found 0: set it and restart the server",
  );
}

function sessionOf<Client extends PgClientLike>(client: Client, table: string): XaSession<Client> {
  const query = async (text: string, values?: unknown[]): Promise<PgResultLike> => {
    try {
      return await client.query(text, values);
    } catch (cause) {
      const code = codeOf(cause);
      if (code === "42P01" || code === "3F000") throw tableMissing(table, cause);
      throw cause;
    }
  };

  const insert = ({ transType, gid, branchId }: Branch, reason: string): Promise<PgResultLike> =>
    query(
      `insert into ${table}(trans_type, gid, branch_id, op, barrier_id, reason, create_time, update_time)
       values ($1, $2, $3, $4, $5, $6, now(), now()) on conflict do nothing`,
      [transType, gid, branchId, XA_ROW.op, XA_ROW.barrierId, reason],
    );

  const settle = async (command: "commit" | "rollback", xid: Xid): Promise<"done" | "unknown"> => {
    try {
      await client.query(`${command} prepared ${quote(xid.text)}`);
      return "done";
    } catch (cause) {
      if (codeOf(cause) === "42704") return "unknown";
      throw cause;
    }
  };

  return {
    connection: client,
    async start(xid) {
      const { rows } = await query("select 1 from pg_prepared_xacts where gid = $1 and database = current_database()", [
        xid.text,
      ]);
      if (rows.length > 0) return "exists";
      await query("begin");
      return "started";
    },
    async insertRow(branch) {
      // Behind another delivery of the same phase 1 the insert would wait until the end of the global transaction.
      const { rows } = await query("select current_setting('lock_timeout') as was");
      await query("select set_config('lock_timeout', $1, true)", [`${LOCK_WAIT_SECONDS}s`]);
      const { rowCount } = await insert(branch, XA_ROW.op);
      await query("select set_config('lock_timeout', $1, true)", [member(rows[0], "was")]);
      return rowCount === 1;
    },
    async prepare(xid) {
      const { command } = await query(`prepare transaction ${quote(xid.text)}`);
      // Of a transaction in which a statement has failed, or that the work has ended, PostgreSQL makes a rollback, and no error.
      if (command !== "PREPARE") {
        throw new Error(
          `expected PostgreSQL to prepare ${xid.text}, found that it rolled back: an error of a statement was swallowed by the work, or the work ended the transaction`,
        );
      }
    },
    async abandon() {
      await query("rollback");
    },
    commit: (xid) => settle("commit", xid),
    rollback: (xid) => settle("rollback", xid),
    async insertRollbackRow(branch) {
      await query("begin");
      await query("select set_config('lock_timeout', $1, true)", [`${LOCK_WAIT_SECONDS}s`]);
      await insert(branch, "rollback");
      await query("commit");
    },
    async readReason({ gid, branchId }) {
      const { rows } = await query(
        `select reason from ${table} where gid = $1 and branch_id = $2 and op = $3 and barrier_id = $4`,
        [gid, branchId, XA_ROW.op, XA_ROW.barrierId],
      );
      const reason = member(rows[0], "reason");
      return typeof reason === "string" ? reason : null;
    },
    async listPrepared() {
      // Only from its own database can one be settled.
      const { rows } = await query(
        `select gid, extract(epoch from now() - prepared)::float8 as age from pg_prepared_xacts
         where database = current_database() order by prepared`,
      );
      return rows.map((row): Prepared => ({ xid: String(member(row, "gid")), ageSeconds: Number(member(row, "age")) }));
    },
    async close() {
      client.release();
    },
    destroy: () => client.release(true),
  };
}

/** These statements take no parameters. The E form means the same under every setting of standard_conforming_strings. */
function quote(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function codeOf(cause: unknown): unknown {
  return member(cause, "code");
}
