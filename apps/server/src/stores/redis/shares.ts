/**
 * The first of all shards in one order. The gids' hash spreads them well, though not evenly: each shard is asked for somewhat more than its
 * even share, and only those that may have more among the first are asked again. Asking each for all would read everything for every claim.
 */
import { ALL_SHARDS, byOrder, type Candidate, SHARDS } from "./keys.js";

const SHARE_FACTOR = 2;
const SHARE_AT_LEAST = 8;

export interface Found {
  readonly shard: number;
  /** In order; each may have been cut off at what was asked for. */
  readonly lists: readonly (readonly Candidate[])[];
}

export interface FirstOfAll<F> {
  /** Of each shard that can be reached at least what belongs among the first. */
  readonly found: readonly F[];
  /** All that was found. */
  readonly ordered: readonly Candidate[];
}

/** The first `limit` of all, or all, and what else was found on the way. `ask` leaves out shards that can't be reached; who can't be asked again counts as first seen. */
export async function firstOfAll<F extends Found>(
  limit: number,
  ask: (shards: readonly number[], limit: number) => Promise<readonly F[]>,
): Promise<FirstOfAll<F>> {
  const share = Math.min(limit, Math.ceil(limit / SHARDS) * SHARE_FACTOR + SHARE_AT_LEAST);
  const some = inOrder(await ask(ALL_SHARDS, share));
  const short = share === limit ? [] : shardsWithMore(some, share, limit);
  if (short.length === 0) return some;
  const whole = new Map((await ask(short, limit)).map((one) => [one.shard, one]));
  return inOrder(some.found.map((one) => whole.get(one.shard) ?? one));
}

function inOrder<F extends Found>(found: readonly F[]): FirstOfAll<F> {
  return { found, ordered: found.flatMap(({ lists }) => lists.flat()).sort(byOrder) };
}

function shardsWithMore({ found, ordered }: FirstOfAll<Found>, share: number, limit: number): readonly number[] {
  const end = ordered[limit - 1];
  const cutOff = (list: readonly Candidate[]): boolean => {
    const last = list.length < share ? undefined : list.at(-1);
    return last !== undefined && (end === undefined || byOrder(last, end) <= 0);
  };
  return found.filter(({ lists }) => lists.some(cutOff)).map(({ shard }) => shard);
}
