import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import { numbers, texts } from "../arrays.js";
import type { Query, Request } from "../connection.js";
import { seconds, secondsOrNull, textAt } from "../rows.js";
import type { Tables } from "../tables.js";

const insert = (global: string): string => `
  INSERT INTO ${global} (
    gid, trans_type, status, query_prepared, protocol, create_time, update_time, finish_time, rollback_time, options, custom_data,
    next_cron_interval, next_cron_time, due_at, owner, result, rollback_reason, submit_time, attempts, refusals, wake, waiting_on)
  SELECT
    gid, trans_type, status, query_prepared, protocol, to_timestamp(create_time), to_timestamp(update_time),
    to_timestamp(finish_time), to_timestamp(rollback_time), options, custom_data, next_cron_interval,
    to_timestamp((due_at + 999) / 1000), due_at, owner, result, rollback_reason, submit_time, attempts, refusals, wake, waiting_on
  FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::text[],
    $11::text[], $12::int[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::bigint[], $18::int[], $19::int[], $20::int[],
    $21::text[]
  ) AS v (
    gid, trans_type, status, query_prepared, protocol, create_time, update_time, finish_time, rollback_time, options, custom_data,
    next_cron_interval, due_at, owner, result, rollback_reason, submit_time, attempts, refusals, wake, waiting_on)
  ON CONFLICT (gid) DO NOTHING
  RETURNING gid`;

/** The gids that were free; the stored ones are untouched. */
export async function insertGlobals(db: Query, rows: readonly Transaction[]): Promise<ReadonlySet<string>> {
  const { sql, values } = globalsInsert(db.tables, rows);
  const inserted = await db.rows(sql, values);
  return new Set(inserted.map((row) => textAt(row, 0)));
}

/** Answers with the gids that were free. */
export function globalsInsert({ global }: Tables, rows: readonly Transaction[]): Request {
  const values = [
    texts(rows.map((row) => row.gid)),
    texts(rows.map((row) => row.type)),
    texts(rows.map((row) => row.status)),
    texts(rows.map((row) => row.queryPrepared)),
    texts(rows.map((row) => row.protocol)),
    numbers(rows.map((row) => seconds(row.createTime))),
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
    numbers(rows.map((row) => row.refusals)),
    numbers(rows.map((row) => row.wake)),
    texts(rows.map((row) => row.waitingOn)),
  ];
  return { sql: insert(global), values };
}
