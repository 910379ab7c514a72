import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import { numbers, texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { seconds, secondsOrNull } from "../rows.js";

const sql = (global: string): string => `
  UPDATE ${global} g SET
    status = v.status, update_time = to_timestamp(v.update_time), finish_time = to_timestamp(v.finish_time),
    rollback_time = to_timestamp(v.rollback_time), options = v.options, custom_data = v.custom_data,
    next_cron_interval = v.next_cron_interval, next_cron_time = to_timestamp((v.due_at + 999) / 1000), due_at = v.due_at,
    owner = v.owner, result = v.result, rollback_reason = v.rollback_reason, submit_time = v.submit_time, attempts = v.attempts,
    wake = v.wake, waiting_on = v.waiting_on
  FROM unnest(
    $1::bigint[], $2::text[], $3::float8[], $4::float8[], $5::float8[], $6::text[], $7::text[], $8::int[], $9::bigint[], $10::text[],
    $11::text[], $12::text[], $13::bigint[], $14::int[], $15::int[], $16::text[]
  ) AS v (
    id, status, update_time, finish_time, rollback_time, options, custom_data, next_cron_interval, due_at, owner, result,
    rollback_reason, submit_time, attempts, wake, waiting_on)
  WHERE g.id = v.id`;

/** Over rows that this transaction has locked and read. */
export function replaceGlobals(db: Query, rows: readonly Transaction[]): void {
  db.later(sql(db.tables.global), [
    numbers(rows.map((row) => row.id)),
    texts(rows.map((row) => row.status)),
    numbers(rows.map((row) => seconds(row.updateTime))),
    numbers(rows.map((row) => secondsOrNull(row.finishTime))),
    numbers(rows.map((row) => secondsOrNull(row.rollbackTime))),
    texts(rows.map((row) => optionsToJson(row.options))),
    texts(rows.map((row) => row.customData)),
    numbers(rows.map((row) => Math.ceil(row.nextCronInterval))),
    numbers(rows.map((row) => Math.ceil(row.nextCronTime))),
    texts(rows.map((row) => row.owner)),
    texts(rows.map((row) => row.result)),
    texts(rows.map((row) => row.rollbackReason)),
    numbers(rows.map((row) => row.submitTime)),
    numbers(rows.map((row) => row.attempts)),
    numbers(rows.map((row) => row.wake)),
    texts(rows.map((row) => row.waitingOn)),
  ]);
}
