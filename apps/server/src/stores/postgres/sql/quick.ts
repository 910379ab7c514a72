import type { Loaded, Transaction } from "../../../engine/transaction.js";
import { optionsToJson, PLAIN } from "../../options.js";
import { Overtaken } from "../../relational/quick.js";
import { epochOf, type FinalMove, type QuickWork } from "../../relational/statements.js";
import { numbers, texts } from "../arrays.js";
import type { Answer, Connection, Request } from "../connection.js";
import { seconds, textAt } from "../rows.js";
import type { Tables } from "../tables.js";
import { branchesInsert } from "./insert-branches.js";
import { globalsInsert } from "./insert-globals.js";
import { byGid, toLoadedByGid } from "./load.js";
import { settling } from "./settle.js";

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

interface Step {
  readonly request: Request;
  /** Throws when the statement didn't find what was assumed. */
  readonly check?: (answer: Answer) => void;
}

/** One message; the loading comes last, so it sees what is there once the locks are held. */
export async function quick(db: Connection, work: QuickWork): Promise<ReadonlyMap<string, Loaded>> {
  const { tables } = db;
  const moved = new Map<string, Loaded>();
  const steps = [
    ...creating(tables, work),
    ...registering(tables, work),
    ...ending(tables, work),
    ...submitting(tables, work, moved),
  ];
  const answers = await db.burst(steps.map(({ request }) => request));
  if (answers.length !== steps.length) throw new Error(`${steps.length} statements had ${answers.length} answers`);
  for (const [place, answer] of answers.entries()) steps[place]?.check?.(answer);
  return moved;
}

function creating(tables: Tables, { created, branches }: QuickWork): Step[] {
  const steps: Step[] = [];
  const check = ({ rows }: Answer): void => {
    if (rows.length !== created.length) throw new Overtaken("a gid is taken");
  };
  if (created.length > 0) steps.push({ request: globalsInsert(tables, created), check });
  if (branches.length > 0) steps.push({ request: branchesInsert(tables, branches) });
  return steps;
}

/** Their branches are written before it is known; should one not be prepared, nothing of it is kept. */
function registering(tables: Tables, { registering: gids }: QuickWork): Step[] {
  if (gids.length === 0) return [];
  const check = ({ rows }: Answer): void => {
    if (rows.length !== gids.length) throw new Overtaken("a registering transaction isn't prepared");
  };
  return [{ request: { sql: PREPARED(tables), values: [texts(gids)] }, check }];
}

function ending(tables: Tables, { ending: moves, results }: QuickWork): Step[] {
  if (moves.length === 0) return [];
  const check = ({ rowCount }: Answer): void => {
    if (rowCount !== moves.length) throw new Overtaken("a lease was lost");
  };
  const settled = results.length === 0 ? [] : [{ request: settling(tables, results) }];
  return [{ request: { sql: END(tables), values: endValues(moves) }, check }, ...settled];
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

/** Fills `moved` with those whose row was updated, as they are stored then. */
function submitting(tables: Tables, { submitting: rows }: QuickWork, moved: Map<string, Loaded>): Step[] {
  if (rows.length === 0) return [];
  const found = new Set<string>();
  const note = (answer: Answer): void => {
    for (const row of answer.rows) found.add(textAt(row, 0));
  };
  const keep = (answer: Answer): void => {
    for (const [gid, loaded] of toLoadedByGid(answer.rows)) if (found.has(gid)) moved.set(gid, loaded);
  };
  const gids = rows.map(({ gid }) => gid);
  return [
    { request: { sql: SUBMIT(tables), values: submitValues(rows) }, check: note },
    { request: byGid(tables, gids), check: keep },
  ];
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
