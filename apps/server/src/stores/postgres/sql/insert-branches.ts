import type { Branch } from "../../../engine/transaction.js";
import { byteArrays, numbers, texts } from "../arrays.js";
import type { Query, Request } from "../connection.js";
import { seconds, secondsOrNull } from "../rows.js";
import type { Tables } from "../tables.js";

/** In the given order, so that ids tell it. */
const insert = (branch: string): string => `
  INSERT INTO ${branch} (gid, branch_id, op, url, bin_data, status, create_time, update_time, finish_time, rollback_time)
  SELECT
    gid, branch_id, op, url, bin_data, status, to_timestamp(create_time), to_timestamp(update_time), to_timestamp(finish_time),
    to_timestamp(rollback_time)
  FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::float8[], $8::float8[], $9::float8[], $10::float8[]
  ) WITH ORDINALITY AS v (
    gid, branch_id, op, url, bin_data, status, create_time, update_time, finish_time, rollback_time, place)
  ORDER BY place`;

export function insertBranches(db: Query, rows: readonly Branch[]): void {
  const { sql, values } = branchesInsert(db.tables, rows);
  db.later(sql, values);
}

export function branchesInsert({ branch }: Tables, rows: readonly Branch[]): Request {
  const values = [
    texts(rows.map((row) => row.gid)),
    texts(rows.map((row) => row.branchId)),
    texts(rows.map((row) => row.op)),
    texts(rows.map((row) => row.url)),
    byteArrays(rows.map((row) => row.payload)),
    texts(rows.map((row) => row.status)),
    numbers(rows.map((row) => seconds(row.createTime))),
    numbers(rows.map((row) => seconds(row.updateTime))),
    numbers(rows.map((row) => secondsOrNull(row.finishTime))),
    numbers(rows.map((row) => secondsOrNull(row.rollbackTime))),
  ];
  return { sql: insert(branch), values };
}
