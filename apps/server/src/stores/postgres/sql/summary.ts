import type { StuckAsk, Summary } from "../../store.js";
import type { Query } from "../connection.js";
import { DUE, numberAt, timeAt } from "../rows.js";

const sql = (global: string): string => `
  SELECT count(*), (extract(epoch FROM min(g.create_time)) * 1000)::bigint,
    count(*) FILTER (WHERE
      g.attempts >= CASE g.trans_type
        WHEN 'saga' THEN $1::int WHEN 'tcc' THEN $2 WHEN 'xa' THEN $3 WHEN 'msg' THEN $4 WHEN 'workflow' THEN $5 ELSE $6 END
      OR g.refusals >= $7 OR ${DUE} < $8::bigint
    )
  FROM ${global} g WHERE g.status IN ('prepared', 'submitted', 'aborting')`;

export async function summary(db: Query, ask: StuckAsk): Promise<Summary> {
  const { saga, tcc, xa, msg, workflow } = ask.stuckAttempts;
  const limits = [saga, tcc, xa, msg, workflow, Math.min(saga, tcc, xa, msg, workflow)];
  const values = [...limits, ask.stuckRefusals, Math.floor(ask.overdueBefore)];
  const [row = []] = await db.rows(sql(db.tables.global), values);
  return { unfinished: numberAt(row, 0), oldest: timeAt(row, 1), stuck: numberAt(row, 2) };
}
