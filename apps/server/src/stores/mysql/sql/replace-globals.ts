import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import type { Query } from "../connection.js";

/** MariaDB 10.6.7 leaves the escapes of a JSON text in it, so texts travel as hex digits. */
const text = (column: string): string => `convert(unhex(v.${column}) USING utf8mb4)`;

/**
 * Many rows in one statement, each found by its id; what may be null comes as an empty text. The rows come as JSON, since MySQL and
 * MariaDB know no other table of values that both would take here.
 */
const SQL = `
  UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    id bigint PATH '$[0]', status varchar(12) PATH '$[1]', update_time varchar(19) PATH '$[2]', finish_time varchar(19) PATH '$[3]',
    rollback_time varchar(19) PATH '$[4]', options mediumtext PATH '$[5]', custom_data mediumtext PATH '$[6]', next_cron_interval int PATH '$[7]',
    next_cron_time varchar(19) PATH '$[8]', due_at bigint PATH '$[9]', owner mediumtext PATH '$[10]', result mediumtext PATH '$[11]',
    rollback_reason mediumtext PATH '$[12]', submit_time varchar(20) PATH '$[13]', attempts int PATH '$[14]', refusals int PATH '$[15]',
    wake int PATH '$[16]', waiting_on mediumtext PATH '$[17]'
  )) AS v STRAIGHT_JOIN trans_global g ON g.id = v.id
  SET
    g.status = v.status, g.update_time = v.update_time, g.finish_time = nullif(v.finish_time, ''),
    g.rollback_time = nullif(v.rollback_time, ''), g.options = ${text("options")}, g.custom_data = ${text("custom_data")},
    g.next_cron_interval = v.next_cron_interval, g.next_cron_time = v.next_cron_time, g.due_at = v.due_at, g.owner = ${text("owner")},
    g.result = ${text("result")}, g.rollback_reason = ${text("rollback_reason")}, g.submit_time = nullif(v.submit_time, ''), g.attempts = v.attempts,
    g.refusals = v.refusals, g.wake = v.wake, g.waiting_on = ${text("waiting_on")}`;

/** Over rows that this transaction has locked and read. */
export function replaceGlobals(db: Query, rows: readonly Transaction[]): void {
  const { zone } = db;
  const values = rows.map((row) => [
    row.id,
    row.status,
    zone.toText(row.updateTime),
    zone.toTextOrNull(row.finishTime) ?? "",
    zone.toTextOrNull(row.rollbackTime) ?? "",
    hex(optionsToJson(row.options)),
    hex(row.customData),
    Math.ceil(row.nextCronInterval),
    zone.toText(row.nextCronTime),
    Math.ceil(row.nextCronTime),
    hex(row.owner),
    hex(row.result),
    hex(row.rollbackReason),
    row.submitTime === null ? "" : String(row.submitTime),
    row.attempts,
    row.refusals,
    row.wake,
    hex(row.waitingOn),
  ]);
  db.later(SQL, [JSON.stringify(values)]);
}

function hex(plain: string): string {
  return Buffer.from(plain).toString("hex");
}
