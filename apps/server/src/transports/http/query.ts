/** Query parameters of GET requests. A number that isn't one is refused in dtm's words (protocol.md 1.12). */
import { isGlobalStatus, isTransactionType } from "@dtm/protocol";
import { Refusal } from "../../engine/refusal.js";
import type { ListFilter } from "../../stores/store.js";

/** One page; more is what `next_position` is for. */
const LARGEST_PAGE = 10_000;
const DEFAULT_PAGE = 100;

/** Reads the text behind the `?`; the first value of a repeated name counts, as in Go. */
export class Query {
  readonly #parameters: URLSearchParams;

  constructor(search: string) {
    this.#parameters = new URLSearchParams(search);
  }

  text(name: string): string {
    return this.#parameters.get(name) ?? "";
  }

  /** Null when absent. */
  whole(name: string): number | null {
    const text = this.text(name);
    if (text === "") return null;
    const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw new Refusal("INVALID_INPUT", `convert to int error: ${text.slice(0, 100)}`);
    return number;
  }

  /** A token of a page before; "" when absent. Every store's tokens are numbers. */
  position(): string {
    const position = this.whole("position");
    return position === null ? "" : String(position);
  }

  limit(): number {
    const limit = this.whole("limit") ?? DEFAULT_PAGE;
    if (limit < 1) throw new Refusal("INVALID_INPUT", `limit must be 1 or more, found ${limit}`);
    return Math.min(limit, LARGEST_PAGE);
  }
}

/**
 * `all`: times are Unix milliseconds, cut to whole seconds, and the second of the end is in; `gidPrefix` is ours. Null when nothing can
 * match: no transaction has an unknown status or type.
 */
export function listFilter(query: Query): ListFilter | null {
  const status = query.text("status");
  const type = query.text("transType");
  const gidPrefix = query.text("gidPrefix");
  const createdFrom = wholeSecond(query.whole("createTimeStart") ?? 0);
  const createdTo = wholeSecond(query.whole("createTimeEnd") ?? 0);
  const page = { limit: query.limit(), position: query.position() };
  if (status !== "" && !isGlobalStatus(status)) return null;
  if (type !== "" && !isTransactionType(type)) return null;
  return {
    ...page,
    ...(status === "" ? {} : { status }),
    ...(type === "" ? {} : { type }),
    ...(gidPrefix === "" ? {} : { gidPrefix }),
    ...(createdFrom === 0 ? {} : { createdFrom }),
    ...(createdTo === 0 ? {} : { createdTo: createdTo + 999 }),
  };
}

function wholeSecond(at: number): number {
  return Math.floor(at / 1000) * 1000;
}
