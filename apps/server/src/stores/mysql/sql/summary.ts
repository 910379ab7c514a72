import type { Summary } from "../../store.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

const SQL = `
  SELECT count(*), min(create_time),
    coalesce(sum(attempts >= ? OR refusals >= ? OR next_cron_time < ? OR (next_cron_time = ? AND due_at < ?)), 0)
  FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')`;

export async function summary(
  db: Query,
  ask: { readonly stuckAttempts: number; readonly stuckRefusals: number; readonly overdueBefore: number },
): Promise<Summary> {
  const second = db.zone.toText(ask.overdueBefore);
  const values = [ask.stuckAttempts, ask.stuckRefusals, second, second, Math.floor(ask.overdueBefore)];
  const [row = []] = await db.rows(SQL, values);
  return { unfinished: numberAt(row, 0), oldest: db.zone.fromText(textAt(row, 1)), stuck: numberAt(row, 2) };
}
