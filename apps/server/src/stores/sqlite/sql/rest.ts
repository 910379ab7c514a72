import type { Rest } from "../../store.js";
import type { Database } from "../database.js";

/** Another wake counter means that somebody nudged meanwhile: nothing is rested (R4). */
const SQL = `
  UPDATE trans_global SET
    owner = '', update_time = ?, next_cron_time = ?, next_cron_interval = ?, attempts = ?, refusals = ?, waiting_on = ?
  WHERE gid = ? AND owner = ? AND status = ? AND wake = ?`;

export function restGlobal(db: Database, gid: string, rest: Rest): boolean {
  const { at, nextCronTime, nextCronInterval, attempts, refusals, waitingOn, owner, status, wake } = rest;
  const values = [at, nextCronTime, nextCronInterval, attempts, refusals, waitingOn, gid, owner, status, wake];
  return db.run(SQL, values) === 1;
}
