import { numbers } from "../arrays.js";
import type { Query } from "../connection.js";
import { numberAt } from "../rows.js";
import type { Tables } from "../tables.js";
import { adoptLater } from "./adopted.js";

/** dtm leaves its owner on a row that rests; nothing of dtm runs beside us, so such a row is nobody's, and keeps its time (R28). */
const OF_DTM = "owner <> '' AND position(':' IN owner) = 0";

const RELEASE = "owner = ''";

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
const AHEAD = `
    due_at IS NULL AND update_time > clock_timestamp() + interval '1 minute'
    AND next_cron_time > clock_timestamp() + coalesce(next_cron_interval, 0) * interval '1 second'`;

const COME_IN_TIME = "next_cron_time = clock_timestamp() + coalesce(next_cron_interval, 0) * interval '1 second'";

const FOUND = ({ global }: Tables, which: string): string => `
  SELECT id FROM ${global}
  WHERE id > $1 AND status IN ('prepared', 'submitted', 'aborting') AND ${which} ORDER BY id LIMIT $2`;

const CHANGE = ({ global }: Tables, which: string, change: string): string => `
  UPDATE ${global} SET ${change} WHERE id = ANY ($1::bigint[]) AND ${which}`;

/** dtm may have left millions, and an answer has its time: of so many rows at once. Looking may pass the whole table. */
interface Portions {
  readonly found: number;
  readonly changed: number;
}

const PORTIONS: Portions = { found: 100_000, changed: 10_000 };

export async function adopt(db: Query, portions = PORTIONS): Promise<void> {
  await adoptLater(db);
  await inPortions(db, { which: AHEAD, change: COME_IN_TIME }, portions);
  await inPortions(db, { which: OF_DTM, change: RELEASE }, portions);
  await db.run(OF_LONG_DEAD(db.tables), []);
}

interface Change {
  readonly which: string;
  readonly change: string;
}

/** Looked for without locks, each time behind the last one found. */
async function inPortions(db: Query, { which, change }: Change, { found, changed }: Portions): Promise<void> {
  for (let last = 0, ids: number[] = []; ; last = ids.at(-1) ?? last) {
    ids = (await db.rows(FOUND(db.tables, which), [last, found])).map((row) => numberAt(row, 0));
    for (let at = 0; at < ids.length; at += changed)
      await db.run(CHANGE(db.tables, which, change), [numbers(ids.slice(at, at + changed))]);
    if (ids.length < found) return;
  }
}
