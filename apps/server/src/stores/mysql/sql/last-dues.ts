import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

export interface WrittenDue {
  /** The wall clock of whoever wrote it. */
  readonly nextCronTime: string;
  /** The same moment in milliseconds, unless dtm moved the other one since. */
  readonly dueAt: number;
  readonly owner: string;
  readonly intervalSeconds: number;
}

/** Among the rows made last, which needs no index: those that aren't over yet, or were due lately. */
const SQL = `
  SELECT next_cron_time, due_at, owner, next_cron_interval FROM (
    SELECT status, next_cron_time, due_at, owner, next_cron_interval FROM trans_global ORDER BY id DESC LIMIT 1000
  ) AS last_made
  WHERE next_cron_time IS NOT NULL AND due_at IS NOT NULL AND (status IN ('prepared', 'submitted', 'aborting') OR due_at > ?)`;

export async function lastDues(db: Query, since: number): Promise<WrittenDue[]> {
  const rows = await db.rows(SQL, [since]);
  return rows.map((row) => ({
    nextCronTime: textAt(row, 0),
    dueAt: numberAt(row, 1),
    owner: textAt(row, 2),
    intervalSeconds: numberAt(row, 3),
  }));
}
