/** What a database must be able to do for XA branches; postgres.ts and mysql.ts do it. */
import { type Branch, DtmError } from "@dtm/protocol";
import type { Room } from "./room.js";
import type { Xid, XidLimit } from "./xid.js";

/**
 * A database that XA branches run in, made of the application's own pool by `xaPostgres`, `xaMysql2` or `xaMariadb`.
 *
 * @typeParam Connection - What the work gets: a connection of the pool.
 */
export interface XaDatabase<Connection> extends XidLimit {
  /** How long a prepared transaction may be unknown to other connections, because the server hasn't seen its own one go. */
  readonly detachMs: number;
  /** Where first phases come in before they take a connection; absent where none can be kept free for phase 2. */
  readonly room?: Room | undefined;
  /**
   * Takes a connection for one branch alone.
   *
   * @throws DtmError XA_UNSUPPORTED when the server isn't set up for XA.
   */
  open(): Promise<XaSession<Connection>>;
}

/** One connection, used for one branch and then closed. */
export interface XaSession<Connection> {
  readonly connection: Connection;
  /** Begins phase 1; "exists" when a transaction of this name is there already. */
  start(xid: Xid): Promise<"started" | "exists">;
  /** Writes the branch's row inside phase 1; waits for a lock no longer than {@link LOCK_WAIT_SECONDS} where it can wait at all. */
  insertRow(branch: Branch): Promise<boolean>;
  /** Ends phase 1: from here on the database keeps it, whatever happens to us. */
  prepare(xid: Xid): Promise<void>;
  /** Undoes phase 1. */
  abandon(xid: Xid): Promise<void>;
  commit(xid: Xid): Promise<"done" | "unknown">;
  rollback(xid: Xid): Promise<"done" | "unknown">;
  /** Writes the row that refuses a phase 1 that comes late. Outside a transaction. */
  insertRollbackRow(branch: Branch): Promise<void>;
  /** Why the branch's row was written, as far as it is committed. */
  readReason(branch: Pick<Branch, "gid" | "branchId">): Promise<string | null>;
  /** All prepared transactions that this connection could settle. */
  listPrepared(): Promise<readonly Prepared[]>;
  /** Gives the connection back, or ends it when it can't be used for something else. */
  close(): Promise<void>;
  /** Ends the connection; the database undoes what isn't prepared. */
  destroy(): void;
}

/** A prepared transaction, as its database lists it. */
export interface Prepared {
  readonly xid: string;
  /** Since when, by the database's clock; null when it can't be told. */
  readonly ageSeconds: number | null;
}

/** So long a phase 2 waits for a phase 1 that is still running, and less than a coordinator waits for an answer (3 s). */
export const LOCK_WAIT_SECONDS = 2;

/** The row's op and barrier id, which all SDKs share; its reason is "action", or "rollback" when phase 2 came first. */
export const XA_ROW = { op: "action", barrierId: "01" } as const;

/** Settings of a database for XA branches. */
export interface XaOptions {
  /** The barrier's table. Default: `dtm_barrier.barrier`. */
  readonly table?: string;
  /**
   * How many connections the pool has at most. First phases take one less at a time, so that phase 2 always finds one. Default: what the pool
   * says, as pg's and mysql2's do; mariadb's doesn't, so there nothing is kept free unless it is given.
   */
  readonly poolSize?: number;
}

export function wrongPool(expected: string, found: unknown): DtmError {
  const shown = typeof found === "object" && found !== null ? (found.constructor?.name ?? "an object") : typeof found;
  return new DtmError("WRONG_DRIVER", `expected ${expected}, found ${shown}`);
}

export function tableMissing(table: string, cause: unknown): DtmError {
  return new DtmError("BARRIER_TABLE_MISSING", `expected the barrier's table ${table}, found none: createBarrierTable makes it`, {
    cause,
  });
}

/** A member of what a driver gave, whatever that is. */
export function member(row: unknown, key: string): unknown {
  return typeof row === "object" && row !== null ? Reflect.get(row, key) : undefined;
}
