import type { Summary } from "../../store.js";
import type { Query } from "../connection.js";
import { DUE, numberAt, timeAt } from "../rows.js";

const sql = (global: string): string => `
  SELECT count(*), (extract(epoch FROM min(g.create_time)) * 1000)::bigint,
    count(*) FILTER (WHERE g.attempts >= $1 OR g.refusals >= $2 OR ${DUE} < $3::bigint)
  FROM ${global} g WHERE g.status IN ('prepared', 'submitted', 'aborting')`;

export async function summary(
  db: Query,
  ask: { readonly stuckAttempts: number; readonly stuckRefusals: number; readonly overdueBefore: number },
): Promise<Summary> {
  const [row = []] = await db.rows(sql(db.tables.global), [ask.stuckAttempts, ask.stuckRefusals, Math.floor(ask.overdueBefore)]);
  return { unfinished: numberAt(row, 0), oldest: timeAt(row, 1), stuck: numberAt(row, 2) };
}
