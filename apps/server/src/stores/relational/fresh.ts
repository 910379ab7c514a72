import type { Branch, Transaction } from "../../engine/transaction.js";

/** As clients create them: what a fresh row leaves out is what its columns have by default. An import brings others as well. */
export function isFresh(row: Transaction): boolean {
  const { finishTime, rollbackTime, result, rollbackReason, attempts, refusals, wake, waitingOn } = row;
  if (finishTime !== null || rollbackTime !== null || attempts !== 0 || refusals !== 0 || wake !== 0) return false;
  return result === "" && rollbackReason === "" && waitingOn === "";
}

export function isOpen({ finishTime, rollbackTime }: Branch): boolean {
  return finishTime === null && rollbackTime === null;
}
