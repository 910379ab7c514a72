/**
 * What is to be done with a branch call, given which of its two barrier rows were new (protocol.md 6.2). Pure, so that every
 * language can share the cases; who writes the rows, and in which transaction, is the adapters' business.
 */

/** `run`: do the work. `skip`: nothing is to be done, and that is a success. `reject`: a message that was decided before. */
export type Verdict = "run" | "skip" | "reject";

/** Which rows the call could insert: false means that the row was there already. */
export interface Inserted {
  /** The row of the op that this one undoes; false for ops that undo nothing. */
  readonly origin: boolean;
  /** The call's own row. */
  readonly own: boolean;
}

/** What each undoing op undoes. XA's `commit` and TCC's `confirm` undo nothing. */
const ORIGIN_OPS: ReadonlyMap<string, string> = new Map([
  ["cancel", "try"],
  ["compensate", "action"],
  ["rollback", "action"],
]);

/** The op that `op` undoes; null when it undoes nothing. */
export function originOp(op: string): string | null {
  return ORIGIN_OPS.get(op) ?? null;
}

/** Decides from the op and from which rows were new. */
export function judge(op: string, inserted: Inserted): Verdict {
  if (!inserted.own) return op === "msg" ? "reject" : "skip"; // seen before, or overtaken by its undo
  if (ORIGIN_OPS.has(op) && inserted.origin) return "skip"; // the work never arrived: nothing to undo
  return "run";
}
