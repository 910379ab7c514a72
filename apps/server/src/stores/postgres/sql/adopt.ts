import type { Query } from "../connection.js";
import type { Tables } from "../tables.js";
import { adoptLater } from "./adopted.js";

/** dtm leaves its owner on a row that rests; nothing of dtm runs beside us, so such a row is nobody's, and keeps its time (R28). */
const OF_DTM = ({ global }: Tables): string => `
  UPDATE ${global} SET owner = ''
  WHERE owner <> '' AND position(':' IN owner) = 0 AND status IN ('prepared', 'submitted', 'aborting')`;

/** What somebody long dead wrote after its rows were looked for. */
const OF_LONG_DEAD = ({ global, node }: Tables): string => `
  UPDATE ${global} g SET owner = '' FROM ${node} n
  WHERE n.dead_at <= clock_timestamp() - interval '1 day' AND g.owner <> ''
    AND g.owner COLLATE "C" >= n.epoch || ':' AND g.owner COLLATE "C" < n.epoch || ';'
    AND g.status IN ('prepared', 'submitted', 'aborting')`;

/**
 * dtm writes its own zone's wall clock into columns that have a zone of the server's: one that ran east of it left rows that rest for hours.
 * They come at their own interval instead. Rows of ours never say so, since `due_at` is theirs (R19, R28).
 */
const AHEAD = ({ global }: Tables): string => `
  UPDATE ${global} SET next_cron_time = clock_timestamp() + coalesce(next_cron_interval, 0) * interval '1 second'
  WHERE status IN ('prepared', 'submitted', 'aborting') AND due_at IS NULL AND update_time > clock_timestamp() + interval '1 minute'
    AND next_cron_time > clock_timestamp() + coalesce(next_cron_interval, 0) * interval '1 second'`;

export async function adopt(db: Query): Promise<void> {
  await adoptLater(db);
  await db.run(AHEAD(db.tables), []);
  await db.run(OF_DTM(db.tables), []);
  await db.run(OF_LONG_DEAD(db.tables), []);
}
