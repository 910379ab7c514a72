/**
 * Phase 2 of an XA branch: the coordinator's verdict, carried out. It is repeated until it succeeds, so a transaction that isn't there is
 * mostly one that was settled before; but not always, and then a success would be a lie: the branch's row says which it is.
 */

import { setTimeout as pause } from "node:timers/promises";
import { type Branch, DtmError } from "@dtm/protocol";
import { holdRun } from "../nested.js";
import type { XaDatabase, XaSession } from "./database.js";
import { type Xid, xidOf } from "./xid.js";

/**
 * Commits a prepared branch. May be repeated.
 *
 * @throws DtmError XA_NOT_PREPARED when there is no such transaction and its row shows no commit: it is still attached to its connection, or
 * somebody settled it by hand.
 */
export function commitXa(database: XaDatabase<unknown>, branch: Branch): Promise<void> {
  return inSession(database, branch, async (session, xid) => {
    const found = await settle(session, xid, { how: "commit", waitMs: database.detachMs });
    if (found === "done" || found === "action") return;
    throw notPrepared(xid, "commit", found === "rollback" ? "was rolled back" : "isn't prepared, and wasn't committed");
  });
}

/**
 * Rolls a branch back, and leaves a row that refuses a first phase that comes later. May be repeated.
 *
 * @throws DtmError XA_NOT_PREPARED when the branch was committed; the database's lock timeout while phase 1 is still running.
 */
export function rollbackXa(database: XaDatabase<unknown>, branch: Branch): Promise<void> {
  return inSession(database, branch, async (session, xid) => {
    const found = await settle(session, xid, { how: "rollback", waitMs: database.detachMs / 4 });
    if (found === "rollback") return;
    if (found === "action") throw notPrepared(xid, "roll back", "was committed");
    // Waits for a phase 1 that is still running: without an answer from here the coordinator asks again.
    await session.insertRollbackRow(branch);
    if ((await session.readReason(branch)) !== "rollback") throw notPrepared(xid, "roll back", "was committed");
  });
}

/** "done" now, or why the branch's row was written, or null when there is neither a transaction nor a row. */
async function settle(
  session: XaSession<unknown>,
  xid: Xid,
  { how, waitMs }: { how: "commit" | "rollback"; waitMs: number },
): Promise<"done" | string | null> {
  const deadline = performance.now() + waitMs;
  for (let waitedMs = 10; ; waitedMs *= 2) {
    if ((await session[how](xid)) === "done") return "done";
    const reason = await session.readReason(xid);
    if (reason !== null || performance.now() >= deadline) return reason;
    await pause(waitedMs);
  }
}

function inSession(
  database: XaDatabase<unknown>,
  branch: Branch,
  work: (session: XaSession<unknown>, xid: Xid) => Promise<void>,
): Promise<void> {
  return holdRun(branch, async () => {
    const xid = xidOf(branch, database);
    const session = await database.open();
    try {
      await work(session, xid);
      await session.close();
    } catch (cause) {
      session.destroy();
      throw cause;
    }
  });
}

function notPrepared({ text }: Xid, verb: string, found: string): DtmError {
  return new DtmError("XA_NOT_PREPARED", `expected to ${verb} the prepared transaction ${text}, found that it ${found}`);
}
