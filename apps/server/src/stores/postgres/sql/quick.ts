import type { Loaded, Transaction } from "../../../engine/transaction.js";
import { optionsToJson, PLAIN } from "../../options.js";
import { Overtaken } from "../../relational/quick.js";
import { epochOf, type FinalMove, type QuickWork } from "../../relational/statements.js";
import { together } from "../../relational/together.js";
import { numbers, texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { seconds, textAt } from "../rows.js";
import type { Tables } from "../tables.js";
import { insertBranches } from "./insert-branches.js";
import { insertGlobals } from "./insert-globals.js";
import { loadByGid } from "./load.js";
import { settle } from "./settle.js";

/** They stay prepared until the end of this transaction. */
const PREPARED = ({ global }: Tables): string => `
  SELECT gid FROM ${global} WHERE gid = ANY ($1::text[]) AND status = 'prepared' ORDER BY gid COLLATE "C" FOR SHARE`;

/** Fenced by owner and status (R1). */
const END = ({ global }: Tables): string => `
  UPDATE ${global} g SET
    status = v.next_status,
    update_time = to_timestamp(v.at),
    finish_time = CASE WHEN v.next_status = 'succeed' THEN to_timestamp(v.at) ELSE g.finish_time END,
    rollback_time = CASE WHEN v.next_status = 'failed' THEN to_timestamp(v.at) ELSE g.rollback_time END,
    owner = '',
    waiting_on = ''
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[]) AS v (gid, owner, status, next_status, at)
  WHERE g.gid = v.gid AND g.owner = v.owner AND g.status = v.status`;

/**
 * What mergeSubmitted does, where one of both sides says no options or both the same; else the row is left for the careful way, and so is
 * one that somebody drives (R5). Only a live epoch gets a lease, judged on the database's clock (R2).
 */
const SUBMIT = ({ global, node }: Tables): string => `
  UPDATE ${global} g SET
    status = 'submitted',
    options = CASE WHEN coalesce(g.options, '') IN ('', $1) THEN v.options ELSE g.options END,
    custom_data = CASE WHEN v.custom_data = '' THEN g.custom_data ELSE v.custom_data END,
    submit_time = v.submit_time,
    update_time = to_timestamp(v.update_time),
    next_cron_interval = v.pause,
    next_cron_time = to_timestamp((v.due_at + 999) / 1000),
    due_at = v.due_at,
    attempts = 0,
    waiting_on = '',
    owner = CASE WHEN v.epoch <> '' AND EXISTS (
      SELECT FROM ${node} n WHERE n.epoch = v.epoch AND n.dead_at IS NULL AND n.expires_at > clock_timestamp()
    ) THEN v.owner ELSE '' END
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::float8[], $9::int[], $10::bigint[])
    AS v (gid, owner, epoch, options, custom_data, submit_time, update_time, pause, due_at)
  WHERE g.gid = v.gid AND g.status = 'prepared' AND g.owner = ''
    AND (v.options = $1 OR coalesce(g.options, '') IN ('', $1, v.options))
  RETURNING g.gid`;

/** All on their way before the first is answered; the loading comes last, so it sees what is there once the locks are held. */
export async function quick(db: Query, work: QuickWork): Promise<ReadonlyMap<string, Loaded>> {
  const [, , , moved] = await together([
    create(db, work),
    register(db, work.registering),
    end(db, work),
    submit(db, work.submitting),
  ]);
  return moved;
}

async function create(db: Query, { created, branches }: QuickWork): Promise<void> {
  const inserted = created.length === 0 ? null : insertGlobals(db, created);
  if (branches.length > 0) insertBranches(db, branches);
  if (inserted !== null && (await inserted).size !== created.length) throw new Overtaken("a gid is taken");
}

/** Their branches are written before it is known; should one not be prepared, nothing of it is kept. */
async function register(db: Query, gids: readonly string[]): Promise<void> {
  if (gids.length === 0) return;
  const prepared = await db.rows(PREPARED(db.tables), [texts(gids)]);
  if (prepared.length !== gids.length) throw new Overtaken("a registering transaction isn't prepared");
}

async function end(db: Query, { ending, results }: QuickWork): Promise<void> {
  if (ending.length === 0) return;
  const ended = db.run(END(db.tables), endValues(ending));
  if (results.length > 0) settle(db, results);
  if ((await ended) !== ending.length) throw new Overtaken("a lease was lost");
}

function endValues(moves: readonly FinalMove[]): string[] {
  return [
    texts(moves.map(({ gid }) => gid)),
    texts(moves.map(({ owner }) => owner)),
    texts(moves.map(({ from }) => from)),
    texts(moves.map(({ to }) => to)),
    numbers(moves.map(({ at }) => seconds(at))),
  ];
}

async function submit(db: Query, rows: readonly Transaction[]): Promise<ReadonlyMap<string, Loaded>> {
  if (rows.length === 0) return new Map();
  const [changed, loaded] = await together([
    db.rows(SUBMIT(db.tables), submitValues(rows)),
    loadByGid(
      db,
      rows.map(({ gid }) => gid),
    ),
  ]);
  const moved = new Map<string, Loaded>();
  for (const row of changed) {
    const one = loaded.get(textAt(row, 0));
    if (one !== undefined) moved.set(one.transaction.gid, one);
  }
  return moved;
}

function submitValues(rows: readonly Transaction[]): string[] {
  return [
    PLAIN,
    texts(rows.map((row) => row.gid)),
    texts(rows.map((row) => row.owner)),
    texts(rows.map((row) => epochOf(row.owner))),
    texts(rows.map((row) => optionsToJson(row.options))),
    texts(rows.map((row) => row.customData)),
    numbers(rows.map((row) => row.submitTime)),
    numbers(rows.map((row) => seconds(row.updateTime))),
    numbers(rows.map((row) => Math.ceil(row.nextCronInterval))),
    numbers(rows.map((row) => Math.ceil(row.nextCronTime))),
  ];
}
