import type { Transaction } from "../../../engine/transaction.js";
import { optionsToJson } from "../../options.js";
import { isFresh } from "../../relational/fresh.js";
import type { Cell, Query, Request } from "../connection.js";
import { GidTooAlike, isDuplicate } from "../errors.js";
import { textAt } from "../rows.js";
import type { Zone } from "../zone.js";

const FRESH = `
  gid, trans_type, status, query_prepared, protocol, create_time, update_time, options, custom_data, next_cron_interval, next_cron_time,
  due_at, owner, submit_time`;

const INSERT_FRESH = `INSERT INTO trans_global (${FRESH}) VALUES ?`;

const INSERT = `
  INSERT INTO trans_global (
    ${FRESH}, finish_time, rollback_time, result, rollback_reason, attempts, refusals, wake, waiting_on)
  VALUES ?`;

const TAKEN = "SELECT gid FROM trans_global WHERE gid IN (?) FOR UPDATE";

/** Others may take a gid between our looks; each look finds more of them. */
const LOOKS = 8;

/**
 * The gids that were free; the stored ones are untouched. INSERT IGNORE would cut texts off silently (R27), so all are inserted, and
 * only when one is taken those that are get looked for: a statement that fails leaves nothing.
 */
export async function insertGlobals(db: Query, rows: readonly Transaction[]): Promise<ReadonlySet<string>> {
  const gids = rows.map(({ gid }) => gid);
  let free = rows;
  for (let look = 0; free.length > 0; look++) {
    // Only what is inserted here may be taken for a gid that is stored already.
    await db.settled();
    try {
      const { sql, values } = globalsInsert(free, db.zone);
      await db.run(sql, values);
      return new Set(free.map(({ gid }) => gid));
    } catch (cause) {
      if (!isDuplicate(cause) || look >= LOOKS) throw cause;
      const taken = (await db.rows(TAKEN, [gids])).map((row) => textAt(row, 0));
      refuseAlike(free, taken);
      const stored = new Set(taken);
      const left = rows.filter(({ gid }) => !stored.has(gid));
      // Alike in a way that only the column's own collation knows.
      if (left.length === free.length && taken.length > 0) throw tooAlike(left[0]?.gid ?? "", taken[0] ?? "");
      free = left;
    }
  }
  return new Set();
}

export function globalsInsert(rows: readonly Transaction[], zone: Zone): Request {
  if (rows.every(isFresh)) return { sql: INSERT_FRESH, values: [rows.map((row) => fresh(row, zone))] };
  return { sql: INSERT, values: [rows.map((row) => [...fresh(row, zone), ...rest(row, zone)])] };
}

/** Where the column ignores case or spaces at the end, another gid may be in the way of this one. */
function refuseAlike(wanted: readonly Transaction[], taken: readonly string[]): void {
  const exact = new Set(taken);
  const folded = new Map(taken.map((gid) => [fold(gid), gid]));
  for (const { gid } of wanted) {
    const other = exact.has(gid) ? undefined : folded.get(fold(gid));
    if (other !== undefined) throw tooAlike(gid, other);
  }
}

function tooAlike(gid: string, stored: string): GidTooAlike {
  return new GidTooAlike(`gid ${gid} differs from the stored ${stored} only by case, accents or spaces: use another`);
}

function fold(gid: string): string {
  return gid
    .normalize("NFD")
    .replaceAll(/\p{Mark}/gu, "")
    .trimEnd()
    .toLowerCase();
}

function fresh(row: Transaction, zone: Zone): Cell[] {
  return [
    row.gid,
    row.type,
    row.status,
    row.queryPrepared,
    row.protocol,
    zone.toText(row.createTime),
    zone.toText(row.updateTime),
    optionsToJson(row.options),
    row.customData,
    Math.ceil(row.nextCronInterval),
    zone.toText(row.nextCronTime),
    Math.ceil(row.nextCronTime),
    row.owner,
    row.submitTime,
  ];
}

function rest(row: Transaction, zone: Zone): Cell[] {
  return [
    zone.toTextOrNull(row.finishTime),
    zone.toTextOrNull(row.rollbackTime),
    row.result,
    row.rollbackReason,
    row.attempts,
    row.refusals,
    row.wake,
    row.waitingOn,
  ];
}
