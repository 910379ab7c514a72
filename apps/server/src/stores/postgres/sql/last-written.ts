import { LOOK_LIMIT, type LookedAt } from "../../migrate-check.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";
import type { Tables } from "../tables.js";

const UNFINISHED = ({ global }: Tables): string =>
  `SELECT count(*) FROM ${global} WHERE status IN ('prepared', 'submitted', 'aborting')`;

/** Only columns that dtm made. Of the finished ones those that were made last, which needs no index. */
const LAST_WRITTEN = ({ global }: Tables): string => `
  (SELECT g.gid, g.status, g.owner, g.update_time::text, g.next_cron_time::text FROM ${global} g
   WHERE g.status IN ('prepared', 'submitted', 'aborting') ORDER BY g.update_time DESC NULLS LAST, g.id DESC LIMIT $1)
  UNION
  (SELECT g.gid, g.status, g.owner, g.update_time::text, g.next_cron_time::text FROM ${global} g ORDER BY g.id DESC LIMIT $1)`;

export async function countUnfinished(db: Query): Promise<number> {
  const [row = []] = await db.rows(UNFINISHED(db.tables), []);
  return numberAt(row, 0);
}

export async function lastWritten(db: Query): Promise<LookedAt[]> {
  const rows = await db.rows(LAST_WRITTEN(db.tables), [LOOK_LIMIT]);
  return rows.map((row) => ({
    gid: textAt(row, 0),
    status: textAt(row, 1),
    owner: textAt(row, 2),
    updated: textAt(row, 3),
    due: textAt(row, 4),
  }));
}
