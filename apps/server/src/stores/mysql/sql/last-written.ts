import { LOOK_LIMIT, type LookedAt } from "../../migrate-check.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

const UNFINISHED = "SELECT count(*) FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')";

/** Only columns that dtm made. Of the finished ones those that were made last, which needs no index. */
const LAST_WRITTEN = `
  (SELECT gid, status, owner, update_time, next_cron_time FROM trans_global
   WHERE status IN ('prepared', 'submitted', 'aborting') ORDER BY update_time DESC, id DESC LIMIT ?)
  UNION
  (SELECT gid, status, owner, update_time, next_cron_time FROM trans_global ORDER BY id DESC LIMIT ?)`;

export async function countUnfinished(db: Query): Promise<number> {
  const [row = []] = await db.rows(UNFINISHED, []);
  return numberAt(row, 0);
}

export async function lastWritten(db: Query): Promise<LookedAt[]> {
  const rows = await db.rows(LAST_WRITTEN, [LOOK_LIMIT, LOOK_LIMIT]);
  return rows.map((row) => ({
    gid: textAt(row, 0),
    status: textAt(row, 1),
    owner: textAt(row, 2),
    updated: textAt(row, 3),
    due: textAt(row, 4),
  }));
}
