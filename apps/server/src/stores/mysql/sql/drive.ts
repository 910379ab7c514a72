import type { Transaction } from "../../../engine/transaction.js";
import type { DriverChange } from "../../relational/statements.js";
import type { Query } from "../connection.js";
import { lockGlobals } from "./lock-globals.js";
import { replaceGlobals } from "./replace-globals.js";

/** Fenced by owner, status and wake (R1, R4). Without RETURNING (R27) the rows are locked and looked at, then written. */
export async function drive(db: Query, changes: readonly DriverChange[]): Promise<ReadonlySet<string>> {
  const stored = await lockGlobals(
    db,
    changes.map(({ gid }) => gid),
  );
  const changed = changes.flatMap((change) => {
    const current = stored.get(change.gid);
    return current !== undefined && isHeld(current, change) ? [changedBy(current, change)] : [];
  });
  if (changed.length > 0) replaceGlobals(db, changed);
  return new Set(changed.map(({ gid }) => gid));
}

function isHeld(current: Transaction, { owner, from, wake }: DriverChange): boolean {
  return current.owner === owner && current.status === from && (wake === null || current.wake === wake);
}

function changedBy(current: Transaction, change: DriverChange): Transaction {
  const { to, at, release } = change;
  return {
    ...current,
    status: to,
    updateTime: at,
    finishTime: to === "succeed" ? at : current.finishTime,
    rollbackTime: to === "failed" ? at : current.rollbackTime,
    rollbackReason: current.rollbackReason || change.rollbackReason,
    nextCronTime: change.nextCronTime ?? current.nextCronTime,
    nextCronInterval: change.nextCronInterval ?? current.nextCronInterval,
    attempts: change.attempts ?? current.attempts,
    refusals: change.refusals ?? current.refusals,
    waitingOn: change.waitingOn ?? current.waitingOn,
    owner: release ? "" : current.owner,
  };
}
