import type { QueryResult } from "mysql2/promise";
import type { Loaded, Transaction } from "../../../engine/transaction.js";
import { optionsToJson, PLAIN } from "../../options.js";
import { Overtaken } from "../../relational/quick.js";
import { epochOf, type FinalMove, type GidResult, type QuickWork } from "../../relational/statements.js";
import { type Bound, type Connection, changedBy, type Request, rowsOf } from "../connection.js";
import { isDuplicate } from "../errors.js";
import { textAt } from "../rows.js";
import type { Zone } from "../zone.js";
import { branchesInsert } from "./insert-branches.js";
import { globalsInsert } from "./insert-globals.js";
import { byGid, toLoadedByGid } from "./load.js";

/** They stay prepared until the end of this transaction. */
const PREPARED =
  "SELECT gid FROM trans_global FORCE INDEX (gid) WHERE gid IN (?) AND status = 'prepared' ORDER BY gid LOCK IN SHARE MODE";

/** Only a live epoch gets a lease, judged on the database's clock (R2). As a SET it would lock the row, and a halted node the others. */
const LIVES = "SELECT count(*) INTO @lives FROM dtm_node WHERE dead_at IS NULL AND expires_at > utc_timestamp(3) AND epoch = ?";

/**
 * What mergeSubmitted does, where one of both sides says no options or both the same; else the row is left for the careful way, and so is
 * one that somebody drives (R5). In a column that ignores case `gid =` finds more than it should, and options would count as the same.
 */
const SUBMIT = `
  UPDATE trans_global FORCE INDEX (gid) SET
    status = 'submitted', options = if(BINARY coalesce(options, '') IN ('', ?), ?, options), custom_data = if(? = '', custom_data, ?),
    submit_time = ?, update_time = ?, next_cron_interval = ?, next_cron_time = ?, due_at = ?, attempts = 0, waiting_on = '',
    owner = if(@lives > 0, ?, '')
  WHERE gid = ? AND BINARY gid = ? AND status = 'prepared' AND owner = '' AND (? = ? OR BINARY coalesce(options, '') IN ('', ?, ?))`;

/** Lists of single values only: a list of pairs is compared pair by pair, with every row. */
const SETTLE = (time: string): string => `
  UPDATE trans_branch_op FORCE INDEX (gid_uniq) SET status = ?, update_time = ?, ${time} = ?
  WHERE gid IN (?) AND BINARY gid IN (?) AND branch_id IN (?) AND op = ? AND status = 'prepared'`;

const END = (time: string): string => `
  UPDATE trans_global FORCE INDEX (gid) SET status = ?, update_time = ?, ${time} = ?, owner = '', waiting_on = ''
  WHERE gid IN (?) AND status = ? AND BINARY concat(gid, ' ', owner) IN (?)`;

interface Step {
  readonly request: Request;
  /** Throws when the statement didn't find what was assumed. */
  readonly check?: (found: QueryResult) => void;
}

/** One packet: the server stops at the first statement that fails. */
export async function quick(db: Connection, work: QuickWork): Promise<ReadonlyMap<string, Loaded>> {
  const { zone } = db;
  const moved = new Map<string, Loaded>();
  const steps = [...creating(work, zone), ...registering(work), ...ending(work, zone), ...submitting(work, zone, moved)];
  for (const [place, found] of (await inOne(db, steps)).entries()) steps[place]?.check?.(found);
  return moved;
}

async function inOne(db: Connection, steps: readonly Step[]): Promise<readonly QueryResult[]> {
  try {
    return await db.burst(steps.map(({ request }) => request));
  } catch (cause) {
    // The careful way finds out which.
    if (isDuplicate(cause)) throw new Overtaken("a gid or a branch is taken", { cause });
    throw cause;
  }
}

function creating({ created, branches }: QuickWork, zone: Zone): Step[] {
  const steps: Step[] = [];
  if (created.length > 0) steps.push({ request: globalsInsert(created, zone) });
  if (branches.length > 0) steps.push({ request: branchesInsert(branches, zone) });
  return steps;
}

/** Their branches are written before it is known; should one not be prepared, nothing of it is kept. */
function registering({ registering: gids }: QuickWork): Step[] {
  if (gids.length === 0) return [];
  const check = (result: QueryResult): void => {
    const prepared = new Set(rowsOf(result).map((row) => textAt(row, 0)));
    if (!gids.every((gid) => prepared.has(gid))) throw new Overtaken("a registering transaction isn't prepared");
  };
  return [{ request: { sql: PREPARED, values: [gids] }, check }];
}

/** What settles with the same branches, or ends, in the same second the same way is one statement. */
function ending({ ending: moves, results }: QuickWork, zone: Zone): Step[] {
  const settles = grouped(settledOf(results, zone), keyOf).map((group): Step => ({ request: settle(group) }));
  const ends = grouped(moves, ({ from, to, at }) => `${from} ${to} ${zone.toText(at)}`).map((group): Step => {
    const check = (result: QueryResult): void => {
      if (changedBy(result) !== group.length) throw new Overtaken("a lease was lost");
    };
    return { request: end(group, zone), check };
  });
  return [...settles, ...ends];
}

/** Those branches of one transaction that settled in the same second the same way. */
interface Settled {
  readonly gid: string;
  readonly status: GidResult["status"];
  readonly second: string;
  readonly op: string;
  readonly branchIds: string[];
}

/** What belongs to one transaction comes in a row. */
function settledOf(results: readonly GidResult[], zone: Zone): Settled[] {
  const all: Settled[] = [];
  for (const { gid, status, at, op, branchId } of results) {
    const second = zone.toText(at);
    const last = all.at(-1);
    if (last?.gid === gid && last.status === status && last.second === second && last.op === op) last.branchIds.push(branchId);
    else all.push({ gid, status, second, op, branchIds: [branchId] });
  }
  return all;
}

function keyOf({ status, second, op, branchIds }: Settled): string {
  let key = `${status} ${second} ${op.length} ${op}`;
  // What a client named may hold anything.
  for (const branchId of branchIds) key += ` ${branchId.length} ${branchId}`;
  return key;
}

function settle(group: readonly [Settled, ...Settled[]]): Request {
  const [{ status, second, op, branchIds }] = group;
  const gids = group.map(({ gid }) => gid);
  return {
    sql: SETTLE(status === "succeed" ? "finish_time" : "rollback_time"),
    values: [status, second, second, gids, gids, branchIds, op],
  };
}

function end(moves: readonly [FinalMove, ...FinalMove[]], zone: Zone): Request {
  const [{ from, to, at }] = moves;
  const second = zone.toText(at);
  const gids = moves.map(({ gid }) => gid);
  const held = moves.map(({ gid, owner }) => `${gid} ${owner}`);
  return { sql: END(to === "succeed" ? "finish_time" : "rollback_time"), values: [to, second, second, gids, from, held] };
}

/** Fills `moved` with those whose update found its row, as they are stored then. */
function submitting({ submitting: transactions }: QuickWork, zone: Zone, moved: Map<string, Loaded>): Step[] {
  if (transactions.length === 0) return [];
  const steps: Step[] = [];
  const found = new Set<string>();
  let epoch: string | null = null;
  for (const transaction of transactions) {
    const wanted = epochOf(transaction.owner);
    if (wanted !== epoch) steps.push({ request: { sql: LIVES, values: [wanted] } });
    epoch = wanted;
    const check = (result: QueryResult): void => {
      if (changedBy(result) > 0) found.add(transaction.gid);
    };
    steps.push({ request: { sql: SUBMIT, values: submitValues(transaction, zone) }, check });
  }
  const keep = (result: QueryResult): void => {
    for (const [gid, loaded] of toLoadedByGid(rowsOf(result), zone)) if (found.has(gid)) moved.set(gid, loaded);
  };
  return [...steps, { request: byGid(transactions.map(({ gid }) => gid)), check: keep }];
}

function submitValues(row: Transaction, zone: Zone): Bound[] {
  const options = optionsToJson(row.options);
  return [
    PLAIN,
    options,
    row.customData,
    row.customData,
    row.submitTime,
    zone.toText(row.updateTime),
    Math.ceil(row.nextCronInterval),
    zone.toText(row.nextCronTime),
    Math.ceil(row.nextCronTime),
    row.owner,
    row.gid,
    row.gid,
    options,
    PLAIN,
    PLAIN,
    options,
  ];
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
