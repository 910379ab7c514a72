/**
 * May this branch call touch the money? The coordinator calls at least once and in any order, and so does the network; the
 * barrier turns that into exactly one effect (protocol.md 6.2, here for SQLite).
 */
import type { Database } from "./database.js";

export interface BranchCall {
  readonly transType: string;
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
}

/** run: do the work · skip: nothing to do, and that is a success · reject: this local run came too late. */
export type Verdict = "run" | "skip" | "reject";

/** What each undoing operation undoes. */
const ORIGINS: ReadonlyMap<string, string> = new Map([
  ["cancel", "try"],
  ["compensate", "action"],
  ["rollback", "action"],
]);

/** One guarded local transaction per handler, so its number never changes. */
const BARRIER_ID = "01";

/** `inserted`: which rows were new, the origin's and the call's own. Pure, so that every case fits in a table. */
export function judge(op: string, inserted: { readonly origin: boolean; readonly own: boolean }): Verdict {
  if (!inserted.own) return op === "msg" ? "reject" : "skip"; // seen before, or overtaken by its undo
  if (ORIGINS.has(op) && inserted.origin) return "skip"; // the work never arrived: nothing to undo, and now it never will
  return "run";
}

export class Barrier {
  readonly #transaction: Database.Transaction<(call: BranchCall, work: () => void) => Verdict>;
  readonly #queryPrepared: Database.Transaction<(gid: string, transType: string) => boolean>;

  constructor(database: Database.Database) {
    const insert = database.prepare(
      `insert into barrier (trans_type, gid, branch_id, op, barrier_id, reason) values (?, ?, ?, ?, ?, ?)
       on conflict (gid, branch_id, op, barrier_id) do nothing`,
    );
    const reasonOf = database.prepare("select reason from barrier where gid = ? and branch_id = ? and op = ? and barrier_id = ?");
    const add = (call: BranchCall, op: string, reason: string): boolean =>
      insert.run(call.transType, call.gid, call.branchId, op, BARRIER_ID, reason).changes === 1;

    this.#transaction = database.transaction((call: BranchCall, work: () => void): Verdict => {
      const origin = ORIGINS.get(call.op);
      const inserted = {
        origin: origin !== undefined && add(call, origin, call.op),
        own: add(call, call.op, call.op),
      };
      const verdict = judge(call.op, inserted);
      if (verdict === "run") work();
      return verdict;
    });

    this.#queryPrepared = database.transaction((gid: string, transType: string): boolean => {
      const call = { transType, gid, branchId: "00", op: "msg" };
      add(call, call.op, "rollback");
      const row = reasonOf.get(gid, call.branchId, call.op, BARRIER_ID) as { readonly reason: string };
      return row.reason !== "rollback";
    });
  }

  /**
   * Runs `work` at most once per branch and operation, in one transaction with the barrier's own rows: when `work` throws,
   * nothing of it stays, and a repeat gets the same chance again.
   */
  guard(call: BranchCall, work: () => void): Verdict {
    return this.#transaction.immediate(call, work);
  }

  /**
   * Did the local part of this message commit? Asking also closes the door: a local run that comes later is rejected, so the
   * answer can't turn wrong.
   */
  committed(message: { readonly gid: string; readonly transType: string }): boolean {
    return this.#queryPrepared.immediate(message.gid, message.transType);
  }
}
