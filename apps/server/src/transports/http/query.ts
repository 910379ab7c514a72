/** Query parameters of GET requests. A number that isn't one is refused in dtm's words (protocol.md 1.12). */
import { GLOBAL_STATUSES, isGlobalStatus, isTransactionType, TRANSACTION_TYPES } from "@dtm/protocol";
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

  limit(): number {
    const limit = this.whole("limit") ?? DEFAULT_PAGE;
    if (limit < 1) throw new Refusal("INVALID_INPUT", `limit must be 1 or more, found ${limit}`);
    return Math.min(limit, LARGEST_PAGE);
  }
}

/** `all`: times are Unix milliseconds, both inclusive; `gidPrefix` is ours. */
export function listFilter(query: Query): ListFilter {
  const status = query.text("status");
  const type = query.text("transType");
  const gidPrefix = query.text("gidPrefix");
  const createdFrom = query.whole("createTimeStart") ?? 0;
  const createdTo = query.whole("createTimeEnd") ?? 0;
  if (status !== "" && !isGlobalStatus(status)) return refuseWord("status", status, GLOBAL_STATUSES);
  if (type !== "" && !isTransactionType(type)) return refuseWord("transType", type, TRANSACTION_TYPES);
  return {
    limit: query.limit(),
    position: query.text("position"),
    ...(status === "" ? {} : { status }),
    ...(type === "" ? {} : { type }),
    ...(gidPrefix === "" ? {} : { gidPrefix }),
    ...(createdFrom === 0 ? {} : { createdFrom }),
    ...(createdTo === 0 ? {} : { createdTo }),
  };
}

function refuseWord(name: string, found: string, expected: readonly string[]): never {
  throw new Refusal(
    "INVALID_INPUT",
    `${name} must be one of ${expected.join(", ")}; found ${JSON.stringify(found.slice(0, 45))}`,
  );
}
