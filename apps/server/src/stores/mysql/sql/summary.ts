import type { StuckAsk, Summary } from "../../store.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

const SQL = `
  SELECT count(*), min(create_time),
    coalesce(sum(
      attempts >= CASE trans_type
        WHEN 'saga' THEN ? WHEN 'tcc' THEN ? WHEN 'xa' THEN ? WHEN 'msg' THEN ? WHEN 'workflow' THEN ? ELSE ? END
      OR refusals >= ? OR next_cron_time < ? OR (next_cron_time = ? AND due_at < ?)
    ), 0)
  FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')`;

export async function summary(db: Query, ask: StuckAsk): Promise<Summary> {
  const { saga, tcc, xa, msg, workflow } = ask.stuckAttempts;
  const limits = [saga, tcc, xa, msg, workflow, Math.min(saga, tcc, xa, msg, workflow)];
  const second = db.zone.toText(ask.overdueBefore);
  const values = [...limits, ask.stuckRefusals, second, second, Math.floor(ask.overdueBefore)];
  const [row = []] = await db.rows(SQL, values);
  return { unfinished: numberAt(row, 0), oldest: db.zone.fromText(textAt(row, 1)), stuck: numberAt(row, 2) };
}
