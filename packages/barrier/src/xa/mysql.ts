/**
 * XA on MySQL and MariaDB. A prepared transaction may stay with its connection until the server has seen that one go (MariaDB, and MySQL
 * before 8.0.29), and to every other connection it is unknown so long; so the connection of phase 1 is always ended, and its end waited for,
 * and phase 2 doesn't take "unknown" for "done before" (see phase2.ts).
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Branch, DtmError } from "@dtm/protocol";
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
import { type Room, roomOf } from "./room.js";
import { parseXid, type Xid } from "./xid.js";

/** A connection of a pool of `mysql2/promise`. */
export interface Mysql2ConnectionLike {
  query(sql: string, values?: unknown[]): Promise<[unknown, unknown]>;
  release(): void;
  destroy(): void;
}

/** A pool of `mysql2/promise`. */
export interface Mysql2PoolLike<Connection extends Mysql2ConnectionLike> {
  getConnection(): Promise<Connection>;
}

/** A connection of a pool of `mariadb`. */
export interface MariadbConnectionLike {
  query(sql: string, values?: unknown): Promise<unknown>;
  release(): Promise<void>;
  destroy(): void;
}

/** A pool of `mariadb`. */
export interface MariadbPoolLike<Connection extends MariadbConnectionLike> {
  getConnection(): Promise<Connection>;
  activeConnections(): number;
}

/**
 * MySQL or MariaDB through mysql2, for XA branches.
 *
 * @param pool - A pool of `mysql2/promise`; a branch takes a connection out of it for its phase 1, and ends that connection. First phases leave one
 * of its connections for phase 2, which needs a pool of two at least.
 * @throws DtmError WRONG_DRIVER for what isn't one.
 */
export function xaMysql2<Connection extends Mysql2ConnectionLike>(
  pool: Mysql2PoolLike<Connection>,
  options: XaOptions = {},
): XaDatabase<Connection> {
  const has = (name: string): boolean => typeof member(pool, name) === "function";
  if (has("promise")) throw wrongPool("a pool of mysql2/promise (pool.promise() makes one)", pool);
  if (!has("getConnection") || has("activeConnections")) throw wrongPool("a pool of mysql2/promise", pool);
  const connect = async (): Promise<Link<Connection>> => {
    const connection = await pool.getConnection();
    return {
      connection,
      query: async (sql, values) => (await connection.query(sql, values))[0],
      release: async () => connection.release(),
      destroy: () => connection.destroy(),
    };
  };
  // Each `promise()` of a pool is another object around the same one.
  const inner = member(pool, "pool");
  const limit = member(member(inner, "config"), "connectionLimit");
  const room = roomOf(typeof inner === "object" && inner !== null ? inner : pool, options.poolSize ?? limit);
  return database({ connect, room }, options);
}

/**
 * MySQL or MariaDB through mariadb, for XA branches.
 *
 * @param pool - A pool of `mariadb`; a branch takes a connection out of it for its phase 1, and ends that connection. With `poolSize`, from two, first
 * phases leave one of its connections for phase 2.
 * @throws DtmError WRONG_DRIVER for what isn't one.
 */
export function xaMariadb<Connection extends MariadbConnectionLike>(
  pool: MariadbPoolLike<Connection>,
  options: XaOptions = {},
): XaDatabase<Connection> {
  if (typeof pool?.getConnection !== "function" || typeof pool.activeConnections !== "function") {
    throw wrongPool("a pool of mariadb", pool);
  }
  const connect = async (): Promise<Link<Connection>> => {
    const connection = await pool.getConnection();
    return {
      connection,
      query: (sql, values) => connection.query(sql, values),
      release: () => connection.release(),
      destroy: () => connection.destroy(),
    };
  };
  return database({ connect, room: roomOf(pool, options.poolSize) }, options);
}

interface Link<Connection> {
  readonly connection: Connection;
  /** The rows, or what the server said of a change. */
  query(sql: string, values?: unknown[]): Promise<unknown>;
  release(): Promise<void>;
  destroy(): void;
}

/** Where links come from, and how many of them first phases may take. */
interface Source<Connection> {
  connect(): Promise<Link<Connection>>;
  readonly room: Room | undefined;
}

function database<Connection>({ connect, room }: Source<Connection>, options: XaOptions): XaDatabase<Connection> {
  const table = tableName("mysql", options.table).full;
  let supported = false;
  let autocommit = true;
  return {
    title: "MySQL",
    maxXidBytes: 64,
    detachMs: DETACH_MS,
    room,
    async open() {
      const link = await connect();
      try {
        if (!supported) {
          const [found] = rowsOf(await link.query("select version() as v, @@autocommit as a"));
          requireDurablePrepare(String(member(found, "v")));
          autocommit = Number(member(found, "a")) === 1;
          supported = true;
        }
        // With it off, MariaDB commits no prepared transaction of another connection, and each read begins a transaction.
        if (!autocommit) await link.query("set session autocommit = 1");
      } catch (cause) {
        link.destroy();
        throw cause;
      }
      return sessionOf(link, { table, spent: !autocommit, connect });
    },
  };
}

/** Earlier ones roll a prepared transaction back when its connection ends. */
export function requireDurablePrepare(version: string): void {
  const [, major = "0", minor = "0", patch = "0"] = /^(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  const least = version.includes("MariaDB") ? [10, 5, 2] : [5, 7, 7];
  const found = [Number(major), Number(minor), Number(patch)];
  const differs = found.findIndex((part, i) => part !== least[i]);
  if (differs < 0 || (found[differs] ?? 0) > (least[differs] ?? 0)) return;
  throw new DtmError(
    "XA_UNSUPPORTED",
    `expected MariaDB from 10.5.2 or MySQL from 5.7.7, which keep a prepared transaction when its connection ends; found ${version}`,
  );
}

const DETACH_MS = 1_000;
const FIRST_PAUSE_MS = 2;

const XAER_NOTA = 1397;
const XAER_DUPID = 1440;
const NO_SUCH_TABLE: readonly unknown[] = [1146, 1049];

interface Setting {
  readonly table: string;
  connect(): Promise<Link<unknown>>;
  /** The connection carries something that its next user mustn't find. */
  readonly spent: boolean;
}

function sessionOf<Connection>(link: Link<Connection>, setting: Setting): XaSession<Connection> {
  const { table, connect } = setting;
  let { spent } = setting;
  let inPhase1 = false;
  /** The server's number of this connection, which phase 1 is on. */
  let number = 0;
  let prepared = false;

  const query = async (sql: string, values?: unknown[]): Promise<unknown> => {
    try {
      return await link.query(sql, values);
    } catch (cause) {
      if (NO_SUCH_TABLE.includes(member(cause, "errno"))) throw tableMissing(table, cause);
      throw cause;
    }
  };

  const insert = async ({ transType, gid, branchId }: Branch, reason: string): Promise<boolean> => {
    const done = await query(
      `insert ignore into ${table}(trans_type, gid, branch_id, op, barrier_id, reason) values (?, ?, ?, ?, ?, ?)`,
      [transType, gid, branchId, XA_ROW.op, XA_ROW.barrierId, reason],
    );
    return Number(member(done, "affectedRows")) === 1;
  };

  const settle = async (command: "commit" | "rollback", xid: Xid): Promise<"done" | "unknown"> => {
    try {
      await link.query(`xa ${command} ${literal(xid)}`);
      return "done";
    } catch (cause) {
      if (member(cause, "errno") === XAER_NOTA) return "unknown";
      throw cause;
    }
  };

  return {
    connection: link.connection,
    async start(xid) {
      spent = true;
      const [own] = rowsOf(await link.query("select connection_id() as id"));
      number = Number(member(own, "id"));
      try {
        await link.query(`xa start ${literal(xid)}`);
        inPhase1 = true;
        return "started";
      } catch (cause) {
        if (member(cause, "errno") === XAER_DUPID) return "exists";
        throw cause;
      }
    },
    insertRow: (branch) => insert(branch, XA_ROW.op),
    async prepare(xid) {
      await link.query(`xa end ${literal(xid)}`);
      await link.query(`xa prepare ${literal(xid)}`);
      prepared = true;
    },
    async abandon(xid) {
      // Refused after a deadlock, which has ended it already.
      await link.query(`xa end ${literal(xid)}`).catch(() => undefined);
      await link.query(`xa rollback ${literal(xid)}`);
    },
    commit: (xid) => settle("commit", xid),
    rollback: (xid) => settle("rollback", xid),
    async insertRollbackRow(branch) {
      spent = true;
      // A pool may have autocommit off, and this connection is ended without a commit.
      await query(`set session innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}, session autocommit = 1`);
      await insert(branch, "rollback");
    },
    async readReason({ gid, branchId }) {
      // The pool's own level may be READ UNCOMMITTED, which shows the row of a prepared transaction as if it were committed. For the one
      // read only; inside a transaction it is refused, and there the row that was in the way is a committed one.
      if (!inPhase1) await query("set transaction isolation level read committed");
      const rows = rowsOf(
        await query(`select reason from ${table} where gid = ? and branch_id = ? and op = ? and barrier_id = ?`, [
          gid,
          branchId,
          XA_ROW.op,
          XA_ROW.barrierId,
        ]),
      );
      const reason = member(rows[0], "reason");
      return typeof reason === "string" ? reason : null;
    },
    async listPrepared() {
      // Each age is read in a transaction of its own, which a session of a pool without autocommit would leave open.
      if (!inPhase1) {
        spent = true;
        await query("set session autocommit = 1");
      }
      const list: Prepared[] = [];
      for (const row of rowsOf(await query("xa recover"))) {
        // Made by XA START with one text: everything else is somebody else's.
        if (Number(member(row, "formatID")) !== 1 || Number(member(row, "bqual_length")) !== 0) continue;
        const data = member(row, "data");
        const xid = data instanceof Uint8Array ? Buffer.from(data).toString() : String(data);
        list.push({ xid, ageSeconds: await ageOf(xid) });
      }
      return list;
    },
    async close() {
      if (!spent) return link.release();
      link.destroy();
      if (prepared) await detached(connect, number);
    },
    destroy: () => link.destroy(),
  };

  /**
   * XA RECOVER doesn't say since when. The branch's own row does: it is inside the prepared transaction, which READ UNCOMMITTED reads into,
   * for this one statement. Null for a branch of an SDK that wrote its row elsewhere.
   */
  async function ageOf(text: string): Promise<number | null> {
    const xid = parseXid(text);
    if (xid === null) return null;
    await query("set transaction isolation level read uncommitted");
    const rows = rowsOf(
      await query(
        `select timestampdiff(second, create_time, now()) as age from ${table} where gid = ? and branch_id = ? and op = ? and barrier_id = ?`,
        [xid.gid, xid.branchId, XA_ROW.op, XA_ROW.barrierId],
      ),
    );
    const age = member(rows[0], "age");
    return age === undefined || age === null ? null : Number(age);
  }
}

/**
 * Until the server has let go of the connection that prepared a transaction. A phase 2 that arrives while MariaDB does so takes the name off
 * the transaction and ends nothing: no one can settle it any more, and its locks stay until the server is restarted. Whoever waits for
 * phase 1's answer sends none before. Never longer than {@link DETACH_MS}, and it never fails: the transaction is prepared.
 */
async function detached(connect: () => Promise<Link<unknown>>, number: number): Promise<void> {
  const watching = new AbortController();
  const timer = setTimeout(() => watching.abort(), DETACH_MS);
  const over = new Promise<void>((resolve) => watching.signal.addEventListener("abort", () => resolve(), { once: true }));
  try {
    await Promise.race([gone(connect, number, watching.signal), over]);
  } catch {
    // Who can't look goes on without.
  } finally {
    clearTimeout(timer);
    watching.abort();
  }
}

/** A server shows everybody his own connections. */
async function gone(connect: () => Promise<Link<unknown>>, number: number, signal: AbortSignal): Promise<void> {
  const link = await connect();
  try {
    for (let waitMs = FIRST_PAUSE_MS; !signal.aborted; waitMs *= 2) {
      const found = await link.query("select 1 from information_schema.processlist where id = ?", [number]);
      if (rowsOf(found).length === 0) return;
      await pause(waitMs);
    }
  } finally {
    await link.release();
  }
}

/** These statements take no parameters; a literal of hexadecimal digits needs no quoting, in no sql_mode and no character set. */
function literal({ text }: Xid): string {
  return `x'${Buffer.from(text).toString("hex")}'`;
}

function rowsOf(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
