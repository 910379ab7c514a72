import type { GidResult } from "../../relational/statements.js";
import { numbers, texts } from "../arrays.js";
import type { Query, Request } from "../connection.js";
import { seconds } from "../rows.js";
import type { Tables } from "../tables.js";

/** Only where it is still prepared: the first answer stands. */
const update = (branch: string): string => `
  UPDATE ${branch} b SET
    status = v.status,
    update_time = to_timestamp(v.at),
    finish_time = CASE WHEN v.status = 'succeed' THEN to_timestamp(v.at) ELSE b.finish_time END,
    rollback_time = CASE WHEN v.status = 'failed' THEN to_timestamp(v.at) ELSE b.rollback_time END
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[]) AS v (gid, branch_id, op, status, at)
  WHERE b.gid = v.gid AND b.branch_id = v.branch_id AND b.op = v.op AND b.status = 'prepared'`;

export function settle(db: Query, results: readonly GidResult[]): void {
  const { sql, values } = settling(db.tables, results);
  db.later(sql, values);
}

export function settling({ branch }: Tables, results: readonly GidResult[]): Request {
  const values = [
    texts(results.map((result) => result.gid)),
    texts(results.map((result) => result.branchId)),
    texts(results.map((result) => result.op)),
    texts(results.map((result) => result.status)),
    numbers(results.map((result) => seconds(result.at))),
  ];
  return { sql: update(branch), values };
}
