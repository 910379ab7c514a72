import type { DriverChange } from "../../relational/statements.js";
import { booleans, numbers, texts, textsOrNull } from "../arrays.js";
import type { Query } from "../connection.js";
import { seconds, textAt } from "../rows.js";

/** One statement for every driver's write of a wave: status, schedule and the end of the lease, fenced by owner, status and wake (R1, R4). */
const sql = (global: string): string => `
  UPDATE ${global} g SET
    status = v.next_status,
    update_time = to_timestamp(v.at),
    finish_time = CASE WHEN v.next_status = 'succeed' THEN to_timestamp(v.at) ELSE g.finish_time END,
    rollback_time = CASE WHEN v.next_status = 'failed' THEN to_timestamp(v.at) ELSE g.rollback_time END,
    rollback_reason = CASE WHEN coalesce(g.rollback_reason, '') = '' THEN v.reason ELSE g.rollback_reason END,
    next_cron_time = coalesce(to_timestamp((v.due_at + 999) / 1000), g.next_cron_time),
    due_at = coalesce(v.due_at, g.due_at),
    next_cron_interval = coalesce(v.pause, g.next_cron_interval),
    attempts = coalesce(v.attempts, g.attempts),
    refusals = coalesce(v.refusals, g.refusals),
    waiting_on = coalesce(v.waiting_on, g.waiting_on),
    owner = CASE WHEN v.release THEN '' ELSE g.owner END
  FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::float8[], $7::text[], $8::bigint[], $9::int[], $10::int[],
    $11::int[], $12::text[], $13::bool[]
  ) AS v (gid, owner, status, wake, next_status, at, reason, due_at, pause, attempts, refusals, waiting_on, release)
  WHERE g.gid = v.gid AND g.owner = v.owner AND g.status = v.status AND (v.wake IS NULL OR g.wake = v.wake)
  RETURNING g.gid`;

export async function drive(db: Query, changes: readonly DriverChange[]): Promise<ReadonlySet<string>> {
  const applied = await db.rows(sql(db.tables.global), [
    texts(changes.map((change) => change.gid)),
    texts(changes.map((change) => change.owner)),
    texts(changes.map((change) => change.from)),
    numbers(changes.map((change) => change.wake)),
    texts(changes.map((change) => change.to)),
    numbers(changes.map((change) => seconds(change.at))),
    texts(changes.map((change) => change.rollbackReason)),
    numbers(changes.map((change) => ceilOrNull(change.nextCronTime))),
    numbers(changes.map((change) => ceilOrNull(change.nextCronInterval))),
    numbers(changes.map((change) => change.attempts)),
    numbers(changes.map((change) => change.refusals)),
    textsOrNull(changes.map((change) => change.waitingOn)),
    booleans(changes.map((change) => change.release)),
  ]);
  return new Set(applied.map((row) => textAt(row, 0)));
}

function ceilOrNull(value: number | null): number | null {
  return value === null ? null : Math.ceil(value);
}
