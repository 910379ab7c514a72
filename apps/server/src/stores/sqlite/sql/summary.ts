import type { StuckAsk, Summary } from "../../store.js";
import type { Database } from "../database.js";

const SQL = `
  SELECT count(*), min(create_time),
    coalesce(sum(
      attempts >= CASE trans_type
        WHEN 'saga' THEN ?1 WHEN 'tcc' THEN ?2 WHEN 'xa' THEN ?3 WHEN 'msg' THEN ?4 WHEN 'workflow' THEN ?5 ELSE ?6 END
      OR refusals >= ?7 OR next_cron_time < ?8
    ), 0)
  FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')`;

export function summary(db: Database, ask: StuckAsk): Summary {
  const { saga, tcc, xa, msg, workflow } = ask.stuckAttempts;
  const limits = [saga, tcc, xa, msg, workflow, Math.min(saga, tcc, xa, msg, workflow)];
  const [unfinished, oldest, stuck] = db.get(SQL, [...limits, ask.stuckRefusals, ask.overdueBefore]) ?? [];
  return { unfinished: Number(unfinished ?? 0), oldest: typeof oldest === "number" ? oldest : null, stuck: Number(stuck ?? 0) };
}
