import type { Transaction } from "../engine/transaction.js";

/** Its client prepares it before it submits. A guess: where it didn't, the submit creates it. */
export function isLikelyPrepared({ type, queryPrepared }: Transaction): boolean {
  return type === "tcc" || type === "xa" || (type === "msg" && queryPrepared !== "");
}
