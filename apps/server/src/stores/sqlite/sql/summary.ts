import type { Summary } from "../../store.js";
import type { Database } from "../database.js";

const SQL = `
  SELECT count(*), min(create_time), coalesce(sum(attempts >= ?1 OR refusals >= ?2 OR next_cron_time < ?3), 0)
  FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')`;

export function summary(
  db: Database,
  ask: { readonly stuckAttempts: number; readonly stuckRefusals: number; readonly overdueBefore: number },
): Summary {
  const [unfinished, oldest, stuck] = db.get(SQL, [ask.stuckAttempts, ask.stuckRefusals, ask.overdueBefore]) ?? [];
  return { unfinished: Number(unfinished ?? 0), oldest: typeof oldest === "number" ? oldest : null, stuck: Number(stuck ?? 0) };
}
