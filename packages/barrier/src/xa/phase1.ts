/** Phase 1 of an XA branch (protocol.md 6.5): the work, its row and the registration in one transaction, then prepared. */
import { type Branch, DtmError, Failure } from "@dtm/protocol";
import type { RunResult } from "../barrier.js";
import { holdRun } from "../nested.js";
import { requireDone, requireWork } from "../sql/done.js";
import { rolledBack } from "../sql/rollback.js";
import type { XaDatabase, XaSession } from "./database.js";
import { type Xid, xidOf } from "./xid.js";

/**
 * Runs `work` on a connection of its own and prepares what it did. After this only {@link commitXa} or {@link rollbackXa} end it; until then
 * the database keeps its locks, through crashes and restarts.
 *
 * A repeated delivery of a phase 1 that is prepared or committed does nothing, and that is a success.
 *
 * @param register - Called after the work and before the transaction is prepared: from then on the coordinator knows whom to ask.
 * @throws Failure when phase 2 has rolled the branch back before; Ongoing when others of the same pool were at work for too long; DtmError
 * XID_TOO_LONG, XA_UNSUPPORTED, BARRIER_TABLE_MISSING, OPTION_INVALID (work that nobody would do), DUPLICATED (another delivery is at work); and
 * what `work` and `register` throw. In all these cases the transaction was rolled back.
 */
export function prepareXa<Connection, T>(
  database: XaDatabase<Connection>,
  branch: Branch,
  work: (connection: Connection) => PromiseLike<T> | T,
  register: () => Promise<void>,
): Promise<RunResult<T>> {
  return holdRun(branch, async () => {
    const xid = xidOf(branch, database);
    requireWork(work);
    const leave = await database.room?.enter();
    try {
      return await onSession(await database.open(), { xid, branch, register }, work);
    } finally {
      leave?.();
    }
  });
}

interface Phase1 {
  readonly xid: Xid;
  readonly branch: Branch;
  readonly register: () => Promise<void>;
}

async function onSession<Connection, T>(
  session: XaSession<Connection>,
  { xid, branch, register }: Phase1,
  work: (connection: Connection) => PromiseLike<T> | T,
): Promise<RunResult<T>> {
  let begun = false;
  try {
    if ((await session.start(xid)) === "exists") {
      await requirePrepared(session, xid);
      await session.close();
      return { ran: false, verdict: "skip" };
    }
    begun = true;
    if (!(await session.insertRow(branch))) {
      await requireCommitted(session, branch);
      await session.abandon(xid);
      await session.close();
      return { ran: false, verdict: "skip" };
    }
    const value = requireDone(await work(session.connection));
    await register();
    await session.prepare(xid);
    await session.close();
    return { ran: true, value };
  } catch (cause) {
    await undo(session, begun ? xid : null);
    throw cause;
  }
}

/** Ending the connection has the server undo what isn't prepared, so nothing depends on whether it could be asked to. */
async function undo(session: XaSession<unknown>, begun: Xid | null): Promise<void> {
  try {
    if (begun !== null) await rolledBack(session.abandon(begun));
    await session.close();
  } catch {
    session.destroy();
  }
}

async function requirePrepared(session: XaSession<unknown>, { text }: Xid): Promise<void> {
  const prepared = await session.listPrepared();
  if (prepared.some(({ xid }) => xid === text)) return;
  throw new DtmError("DUPLICATED", `the XA branch ${text} is being served already: this delivery did nothing`);
}

async function requireCommitted(session: XaSession<unknown>, branch: Branch): Promise<void> {
  const reason = await session.readReason(branch);
  if (reason === "action") return;
  if (reason === "rollback") {
    throw new Failure(`the XA branch ${branch.branchId} of ${branch.gid} was rolled back before its first phase arrived`);
  }
  throw new DtmError(
    "DUPLICATED",
    `the row of XA branch ${branch.branchId} of ${branch.gid} is taken, for ${reason ?? "another delivery"}`,
  );
}
