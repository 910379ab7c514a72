/**
 * The local part of XA transactions: a branch whose work stays prepared in its own database until the coordinator says commit or rollback.
 *
 * ```ts
 * const accounts = xaPostgres(pool);
 * const { registerXaBranch: register } = client;
 * app.post("/transfer-in", branchHandler(transferIn, xaHandler(accounts, { register }, async (connection, { amount }) => {
 *   await connection.query("update account set balance = balance + $1 where id = 1", [amount]);
 * })));
 * ```
 */
import { type Branch, DtmError } from "@dtm/protocol";
import { guarded, IN_SQL, inCall, type RunResult } from "./barrier.js";
import { currentBranch } from "./context.js";
import { XA_ROW, type XaDatabase } from "./xa/database.js";
import { prepareXa } from "./xa/phase1.js";
import { commitXa, rollbackXa } from "./xa/phase2.js";

export type { RunResult } from "./barrier.js";
export type { Prepared, XaDatabase, XaOptions, XaSession } from "./xa/database.js";
export {
  type MariadbConnectionLike,
  type MariadbPoolLike,
  type Mysql2ConnectionLike,
  type Mysql2PoolLike,
  xaMariadb,
  xaMysql2,
} from "./xa/mysql.js";
export { prepareXa } from "./xa/phase1.js";
export { commitXa, rollbackXa } from "./xa/phase2.js";
export { type PgClientLike, type PgPoolLike, type PgResultLike, xaPostgres } from "./xa/postgres.js";
export { type Leftover, type RecoverOptions, recoverXa, type XaGlobal } from "./xa/recover.js";
export type { Room } from "./xa/room.js";
export type { Xid, XidLimit } from "./xa/xid.js";

/** What the coordinator is to be told of a branch: `registerBranch` with trans_type `xa`. */
export interface XaRegistration {
  readonly gid: string;
  readonly branchId: string;
  /** Where phase 2 is to be sent. */
  readonly url: string;
  /** The address of the coordinator that holds the transaction, when the caller of the branch sent it. */
  readonly coordinator?: string | undefined;
}

/** What an XA branch needs beside its work. */
export interface XaRunOptions {
  /**
   * Tells the coordinator of the branch, and throws unless it has answered with a success. With `@dtm/client`:
   * `(registration) => client.registerXaBranch(registration)`. Not to be repeated on an unknown answer: the branch is rolled back then.
   */
  readonly register: (registration: XaRegistration) => Promise<unknown>;
  /** The branch call; default: the one that the framework's entry point put around the handler. */
  readonly branch?: Branch & { readonly phase2Url?: string | undefined; readonly coordinator?: string | undefined };
}

/** Phase 1 and phase 2 by themselves; {@link xaBranch} is both, for a handler at one address. */
export const xa = {
  /**
   * Phase 1: runs `work` on a connection taken from the pool for it alone, registers the branch, and prepares the transaction. `work` begins
   * and ends nothing; what it throws rolls the transaction back and is thrown on.
   *
   * @throws DtmError BRANCH_INVALID without an address for phase 2, and what {@link prepareXa} throws.
   */
  run<Connection, T>(
    database: XaDatabase<Connection>,
    options: XaRunOptions,
    work: (connection: Connection) => PromiseLike<T> | T,
  ): Promise<RunResult<T>> {
    return inCall(options, () => phase1(database, options, work));
  },
  commit: commitXa,
  rollback: rollbackXa,
};

async function phase1<Connection, T>(
  database: XaDatabase<Connection>,
  { register, branch = currentBranch() }: XaRunOptions,
  work: (connection: Connection) => PromiseLike<T> | T,
): Promise<RunResult<T>> {
  const { gid, branchId, phase2Url: url, coordinator } = branch;
  if (url === undefined || url === "") {
    throw new DtmError("BRANCH_INVALID", `expected the XA branch ${branchId} of ${gid} to come with phase2_url, found none`);
  }
  // The branch's row stands where a barrier inside the work would write its own: it is told so, instead of skipping its work.
  guarded(branch, `${IN_SQL} ${XA_ROW.barrierId}`);
  return prepareXa(database, branch, work, async () => {
    await register({ gid, branchId, url, coordinator });
  });
}

/**
 * The whole of an XA branch at one address: phase 1 when it is called with op `action`, and the coordinator's `commit` or `rollback` later.
 *
 * @returns For phase 1, what became of `work`; undefined for phase 2.
 * @throws DtmError BRANCH_INVALID for another op; else as {@link prepareXa}, {@link commitXa} and {@link rollbackXa}.
 */
export function xaBranch<Connection, T>(
  database: XaDatabase<Connection>,
  options: XaRunOptions,
  work: (connection: Connection) => PromiseLike<T> | T,
): Promise<T | undefined> {
  return inCall(options, () => eitherPhase(database, options, work));
}

async function eitherPhase<Connection, T>(
  database: XaDatabase<Connection>,
  options: XaRunOptions,
  work: (connection: Connection) => PromiseLike<T> | T,
): Promise<T | undefined> {
  const branch = options.branch ?? currentBranch();
  switch (branch.op) {
    case "action": {
      const result = await xa.run(database, options, work);
      return result.ran ? result.value : undefined;
    }
    case "commit":
      await commitXa(database, branch);
      return undefined;
    case "rollback":
      await rollbackXa(database, branch);
      return undefined;
    default:
      throw new DtmError("BRANCH_INVALID", `expected action, commit or rollback as the op of an XA branch, found ${branch.op}`);
  }
}

/**
 * {@link xaBranch} as the handler of a framework's entry point. The payload goes to `work` alone: commit and rollback come without one.
 *
 * @returns What `branchHandler` of each framework takes.
 */
export function xaHandler<Connection, Payload, T>(
  database: XaDatabase<Connection>,
  options: XaRunOptions,
  work: (connection: Connection, payload: Payload) => PromiseLike<T> | T,
): (payload: Payload) => Promise<T | undefined> {
  return (payload) => xaBranch(database, options, (connection) => work(connection, payload));
}
