/** Reads through a pool: repeated on another connection when one is lost, since none of them harms when it is done twice. */
import { StoreRejected, StoreUnavailable } from "../store.js";
import { isRefusal, messageOf, type Trouble } from "./database.js";
import { PATIENCE_MS, pause } from "./line.js";

const PAUSE_MS = 50;

export async function repeated<T>(
  once: () => Promise<T>,
  troubleOf: (cause: unknown) => Trouble,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await once();
    } catch (cause) {
      const trouble = troubleOf(cause);
      if (trouble === "data") throw new StoreRejected(messageOf(cause), { cause });
      if (isRefusal(trouble) || performance.now() + PAUSE_MS > deadline) throw unanswered(cause);
      await pause(PAUSE_MS);
    }
  }
}

export function unanswered(cause: unknown): StoreUnavailable {
  return new StoreUnavailable(`the database can't answer: ${messageOf(cause)}`, { cause });
}

/** null: from the newest; undefined: it can't be one of ours, so nothing lies behind it. */
export function positionOf(text: string): number | null | undefined {
  if (text === "") return null;
  const id = Number(text);
  return Number.isNaN(id) ? undefined : Math.min(Number.MAX_SAFE_INTEGER, Math.max(-1, Math.ceil(id)));
}

/** One row more was read than asked for, so that the end is known. */
export function paged<R extends { readonly id: number }>(
  rows: readonly R[],
  limit: number,
): { page: readonly R[]; nextPosition: string } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, nextPosition: rows.length > limit && last !== undefined ? String(last.id) : "" };
}
