import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import type { Database } from "../database.js";

/** Only the columns that may change: a column named here costs its index an entry even when its value stays. */
const SQL = `
  UPDATE trans_global SET
    status = ?, update_time = ?, finish_time = ?, rollback_time = ?, options = ?, custom_data = ?, next_cron_interval = ?,
    next_cron_time = ?, owner = ?, result = ?, rollback_reason = ?, submit_time = ?, attempts = ?, wake = ?, waiting_on = ?
  WHERE id = ?`;

/** Writes a changed transaction over the row that it was read from in the same database transaction. */
export function replaceGlobal(db: Database, changed: Transaction): void {
  db.run(SQL, [
    changed.status,
    changed.updateTime,
    changed.finishTime,
    changed.rollbackTime,
    optionsToJson(changed.options),
    changed.customData,
    changed.nextCronInterval,
    changed.nextCronTime,
    changed.owner,
    changed.result,
    changed.rollbackReason,
    changed.submitTime,
    changed.attempts,
    changed.wake,
    changed.waitingOn,
    changed.id,
  ]);
}
