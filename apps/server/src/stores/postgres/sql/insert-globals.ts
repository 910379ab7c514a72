import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import { isFresh } from "../../relational/fresh.js";
import { numbers, texts } from "../arrays.js";
import type { Query, Request } from "../connection.js";
import { seconds, secondsOrNull, textAt } from "../rows.js";
import type { Tables } from "../tables.js";

const FRESH = `
  gid, trans_type, status, query_prepared, protocol, create_time, update_time, options, custom_data, next_cron_interval, due_at, owner,
  submit_time, next_cron_time`;

const FRESH_VALUES = `
  gid, trans_type, status, query_prepared, protocol, to_timestamp(create_time), to_timestamp(update_time), options, custom_data,
  next_cron_interval, due_at, owner, submit_time, to_timestamp((due_at + 999) / 1000)`;

const FRESH_TYPES = `
  $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::text[], $9::text[], $10::int[],
  $11::bigint[], $12::text[], $13::bigint[]`;

const FRESH_NAMES = `
  gid, trans_type, status, query_prepared, protocol, create_time, update_time, options, custom_data, next_cron_interval, due_at, owner,
  submit_time`;

const FREE = "ON CONFLICT (gid) DO NOTHING RETURNING gid";

const insertFresh = (global: string): string => `
  INSERT INTO ${global} (${FRESH}) SELECT ${FRESH_VALUES} FROM unnest(${FRESH_TYPES}) AS v (${FRESH_NAMES}) ${FREE}`;

const insert = (global: string): string => `
  INSERT INTO ${global} (${FRESH}, finish_time, rollback_time, result, rollback_reason, attempts, refusals, wake, waiting_on)
  SELECT ${FRESH_VALUES}, to_timestamp(finish_time), to_timestamp(rollback_time), result, rollback_reason, attempts, refusals, wake, waiting_on
  FROM unnest(
    ${FRESH_TYPES}, $14::float8[], $15::float8[], $16::text[], $17::text[], $18::int[], $19::int[], $20::int[], $21::text[]
  ) AS v (${FRESH_NAMES}, finish_time, rollback_time, result, rollback_reason, attempts, refusals, wake, waiting_on)
  ${FREE}`;

/** The gids that were free; the stored ones are untouched. */
export async function insertGlobals(db: Query, rows: readonly Transaction[]): Promise<ReadonlySet<string>> {
  const { sql, values } = globalsInsert(db.tables, rows);
  const inserted = await db.rows(sql, values);
  return new Set(inserted.map((row) => textAt(row, 0)));
}

/** Answers with the gids that were free. */
export function globalsInsert({ global }: Tables, rows: readonly Transaction[]): Request {
  if (rows.every(isFresh)) return { sql: insertFresh(global), values: fresh(rows) };
  return { sql: insert(global), values: [...fresh(rows), ...rest(rows)] };
}

function fresh(rows: readonly Transaction[]): string[] {
  return [
    texts(rows.map((row) => row.gid)),
    texts(rows.map((row) => row.type)),
    texts(rows.map((row) => row.status)),
    texts(rows.map((row) => row.queryPrepared)),
    texts(rows.map((row) => row.protocol)),
    numbers(rows.map((row) => seconds(row.createTime))),
    numbers(rows.map((row) => seconds(row.updateTime))),
    texts(rows.map((row) => optionsToJson(row.options))),
    texts(rows.map((row) => row.customData)),
    numbers(rows.map((row) => Math.ceil(row.nextCronInterval))),
    numbers(rows.map((row) => Math.ceil(row.nextCronTime))),
    texts(rows.map((row) => row.owner)),
    numbers(rows.map((row) => row.submitTime)),
  ];
}

function rest(rows: readonly Transaction[]): string[] {
  return [
    numbers(rows.map((row) => secondsOrNull(row.finishTime))),
    numbers(rows.map((row) => secondsOrNull(row.rollbackTime))),
    texts(rows.map((row) => row.result)),
    texts(rows.map((row) => row.rollbackReason)),
    numbers(rows.map((row) => row.attempts)),
    numbers(rows.map((row) => row.refusals)),
    numbers(rows.map((row) => row.wake)),
    texts(rows.map((row) => row.waitingOn)),
  ];
}
