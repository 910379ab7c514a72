import { numbers } from "../arrays.js";
import type { Connection } from "../connection.js";
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
 * They come at their own interval instead. Rows of ours never say so while `due_at` is theirs; dtm moves the other one alone (R19, R28).
 */
const AHEAD = `
    (due_at IS NULL OR next_cron_time <> to_timestamp((due_at + 999) / 1000)) AND update_time > clock_timestamp() + interval '1 minute'
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

export async function adopt(db: Connection, portions = PORTIONS): Promise<void> {
  await unlimited(db, () => adoptLater(db));
  await inPortions(db, { which: AHEAD, change: COME_IN_TIME }, portions);
  await inPortions(db, { which: OF_DTM, change: RELEASE }, portions);
  await unlimited(db, () => db.run(OF_LONG_DEAD(db.tables), []));
}

/** Alone in a transaction without an operator's limit for statements; behind a pooler nothing else may be set. */
async function unlimited<T>(db: Connection, statement: () => Promise<T>): Promise<T> {
  db.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0");
  try {
    const result = await statement();
    await db.control("COMMIT");
    return result;
  } catch (cause) {
    await db.undo("ROLLBACK").catch(() => undefined);
    throw cause;
  }
}

interface Change {
  readonly which: string;
  readonly change: string;
}

/** Looked for without locks, each time behind the last one found. */
async function inPortions(db: Connection, { which, change }: Change, { found, changed }: Portions): Promise<void> {
  for (let last = 0, ids: number[] = []; ; last = ids.at(-1) ?? last) {
    const after = [last, found];
    const rows = await unlimited(db, () => db.rows(FOUND(db.tables, which), after));
    ids = rows.map((row) => numberAt(row, 0));
    for (let at = 0; at < ids.length; at += changed) {
      const portion = numbers(ids.slice(at, at + changed));
      await unlimited(db, () => db.run(CHANGE(db.tables, which, change), [portion]));
    }
    if (ids.length < found) return;
  }
}
