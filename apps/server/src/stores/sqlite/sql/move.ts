import type { DriverMove } from "../../store.js";
import type { Database } from "../database.js";

const FENCE = "gid = ? AND owner = ? AND status = ?";

/** The first reason stays. */
const COMMON = `
    status = ?,
    update_time = ?,
    rollback_reason = CASE WHEN rollback_reason = '' THEN ? ELSE rollback_reason END,
    next_cron_time = coalesce(?, next_cron_time)`;

const ON = `UPDATE trans_global SET ${COMMON} WHERE ${FENCE}`;
const SUCCEED = `UPDATE trans_global SET ${COMMON}, owner = '', waiting_on = '', finish_time = ? WHERE ${FENCE}`;
const FAIL = `UPDATE trans_global SET ${COMMON}, owner = '', waiting_on = '', rollback_time = ? WHERE ${FENCE}`;

/** False when status or owner is another by now (R1). */
export function moveGlobal(db: Database, gid: string, move: DriverMove): boolean {
  const common = [move.to, move.at, move.rollbackReason ?? "", move.nextCronTime ?? null];
  const fence = [gid, move.owner, move.status];
  if (move.to === "succeed") return db.run(SUCCEED, [...common, move.at, ...fence]) === 1;
  if (move.to === "failed") return db.run(FAIL, [...common, move.at, ...fence]) === 1;
  return db.run(ON, [...common, ...fence]) === 1;
}
