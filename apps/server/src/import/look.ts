/**
 * dtm's writes aren't fenced, so it must be stopped before its data moves (R28). Nothing in Redis says that it is: we look at everything
 * twice, longer apart than its poll, and whatever changed in between was changed by somebody.
 */
import type { Millis } from "../engine/transaction.js";
import { glance } from "./decode.js";
import type { DtmRedis, Head } from "./source.js";

export interface Seen {
  readonly gid: string;
  readonly createTime: Millis;
  readonly finished: boolean;
  /** Changes with every change of dtm. */
  readonly mark: string;
}

export interface Look {
  readonly seen: ReadonlyMap<string, Seen>;
  /** Unfinished for dtm, though the transaction itself has expired (Q26). */
  readonly expired: number;
}

type Source = Pick<DtmRedis, "gids" | "heads" | "waiting">;

export async function look(source: Source): Promise<Look> {
  const seen = new Map<string, Seen>();
  let scored = 0;
  for await (const page of source.gids()) {
    const fresh = [...new Set(page)].filter((gid) => !seen.has(gid));
    for (const head of await source.heads(fresh)) {
      // Expired since its key was listed.
      if (head.global === null) continue;
      if (head.dueSeconds !== null) scored++;
      seen.set(head.gid, seenFrom(head));
    }
  }
  return { seen, expired: Math.max(0, (await source.waiting()) - scored) };
}

export function seenFrom(head: Head): Seen {
  const { createTime, updateTime, status } = glance(head);
  return {
    gid: head.gid,
    createTime,
    finished: status === "succeed" || status === "failed",
    mark: `${status} ${updateTime} ${head.dueSeconds ?? ""}`,
  };
}

/** What somebody wrote between the two looks. A finished one that is gone has only expired. */
export function changedBetween(before: Look, after: Look): readonly string[] {
  const changed = [...after.seen.values()].filter(({ gid, mark }) => before.seen.get(gid)?.mark !== mark);
  const gone = [...before.seen.values()].filter(({ gid, finished }) => !finished && !after.seen.has(gid));
  return [...changed, ...gone].map(({ gid }) => gid);
}
