/** What every barrier does around its rows, whatever database they are in: which branch, which id, and what follows. */
import { type Branch, DtmError, MSG_BRANCH } from "@dtm/protocol";
import { BranchCall, currentBranch } from "./context.js";
import { type Inserted, judge, originOp } from "./judge.js";
import { holdRun } from "./nested.js";

/** Options of a guarded local transaction. */
export interface RunOptions {
  /**
   * Which local transaction of this branch call it is: 1 to 99, default 1. A handler that guards a second local transaction gives it
   * `id: 2`, and so on; the numbers must be the same at every delivery of the call (docs/decisions/barrier-ids.md). A message has one local
   * transaction, which decides it: number 1.
   */
  readonly id?: number;
  /**
   * The branch call; default: the one that the framework's entry point put around the handler. One object stands for one delivery: make
   * another for the next.
   */
  readonly branch?: Branch;
}

/** What became of the work: it ran, or it was not to run, which is a success too. */
export type RunResult<T> = { readonly ran: true; readonly value: T } | { readonly ran: false; readonly verdict: "skip" };

/** The identity of a guarded local transaction. */
export interface Guard {
  readonly branch: Branch;
  readonly id: string;
  /** The op that this one undoes. */
  readonly origin: string | null;
}

/** The columns' widths (protocol.md 5.5). Where the database cuts off what is longer, two branches would share a row. */
const WIDTHS = { gid: 128, branchId: 128, op: 45, transType: 45 } as const;

const PARTS = ["gid", "branchId", "op", "transType"] as const;

/**
 * The guard of the branch that `options` or the handler's context name.
 *
 * @throws DtmError NOT_IN_BRANCH, BRANCH_INVALID or OPTION_INVALID.
 */
export function settle(options: RunOptions = {}): Guard {
  if (!isOptions(options)) throw noOptions(options);
  const branch = options.branch ?? currentBranch();
  for (const part of PARTS) {
    const value: unknown = branch[part];
    if (typeof value !== "string" || value === "" || isWider(value, WIDTHS[part])) {
      throw new DtmError(
        "BRANCH_INVALID",
        `expected the ${part} of a branch to be a text of 1 to ${WIDTHS[part]} characters, found ${show(value)}`,
      );
    }
  }
  const id = barrierId(options.id);
  if (branch.op === MSG_BRANCH.op && id !== MSG_BRANCH.barrierId) throw secondOfMessage(branch.gid, id);
  return { branch, id, origin: originOp(branch.op) };
}

/**
 * Runs what belongs to the branch that `options` or the handler's context name. That branch's call waits for it, so that what nobody awaits
 * isn't told as a success before it is one.
 *
 * @throws DtmError OPTION_INVALID where the options are none.
 */
export function inCall<T>(options: RunOptions, run: () => Promise<T>): Promise<T> {
  return isOptions(options) ? holdRun(options.branch, run) : Promise.reject(noOptions(options));
}

/** From JavaScript anything may come. */
function isOptions(options: unknown): boolean {
  return typeof options === "object" && options !== null;
}

function noOptions(options: unknown): DtmError {
  return new DtmError("OPTION_INVALID", `options: expected an object, found ${show(options)}`);
}

/** @throws DtmError BRANCH_INVALID where MySQL would take one branch for another. */
export function refuseSpaceAtEnd({ gid, branchId }: Pick<Branch, "gid" | "branchId">): void {
  for (const [name, value] of [["gid", gid] as const, ["branchId", branchId] as const]) {
    if (!value.endsWith(" ")) continue;
    throw new DtmError(
      "BRANCH_INVALID",
      `expected the ${name} of a branch not to end in a space, which MySQL doesn't tell apart; found ${show(value)}`,
    );
  }
}

/** In characters, as databases count: never more than the string's own length, which is enough to know of nearly all. */
function isWider(value: string, width: number): boolean {
  return value.length > width && [...value].length > width;
}

/** As Go's SDK writes it: two digits. */
export function barrierId(id: unknown = 1): string {
  if (typeof id !== "number" || !Number.isInteger(id) || id < 1 || id > 99) {
    throw new DtmError("OPTION_INVALID", `expected a barrier id to be a whole number from 1 to 99, found ${show(id)}`);
  }
  return String(id).padStart(2, "0");
}

/**
 * Where the rows of every SQL database are, as far as ids go: one database has many names (of the driver or ORM, of the table), and none of them
 * tells two databases apart.
 */
export const IN_SQL = "sql";

/**
 * What follows from the rows.
 *
 * @param where - Where the rows are: the same id may be used once in each place.
 * @throws DtmError DUPLICATED for a message that was decided before, so that the local transaction is rolled back;
 * BARRIER_ID_REUSED when this very call guarded another local transaction with the same id.
 */
export function decide(guard: Guard, where: string, inserted: Inserted): "run" | "skip" {
  const { branch, id } = guard;
  const reused = guarded(branch, `${where} ${id}`);
  const verdict = judge(branch.op, inserted);
  switch (verdict) {
    case "run":
      return verdict;
    case "reject":
      throw decidedBefore(branch, reused);
    case "skip":
      // A repeated attempt of a local transaction that was rolled back finds no row. Whoever finds one that this call has already
      // been told about is another local transaction, and skipping it would lose it in silence.
      if (reused && !inserted.own) throw idReused(guard);
      return verdict;
  }
}

/** This call's own earlier attempt may have been committed though its COMMIT seemed to fail, and then something was done. */
function decidedBefore({ gid }: Branch, reused: boolean): DtmError {
  const before = reused
    ? "before this attempt, which did nothing: an earlier attempt of this call was committed, also when it seemed to fail, or the coordinator " +
      "has been told that there will be none (queryPrepared says which); all that belongs to the message is to be one local transaction"
    : "before: nothing was done";
  return new DtmError("DUPLICATED", `the local transaction of message ${gid} was decided ${before}`);
}

/** `queryPrepared` asks for the first one: with another the message would be rolled back though its transaction was committed. */
function secondOfMessage(gid: string, id: string): DtmError {
  return new DtmError(
    "OPTION_INVALID",
    `expected the local transaction of message ${gid} to have barrier id 1, found ${Number(id)}: a message is decided by one local transaction`,
  );
}

function idReused({ branch, id }: Guard): DtmError {
  return new DtmError(
    "BARRIER_ID_REUSED",
    `expected each local transaction of one branch call to have a barrier id of its own, found id ${id} used again in ` +
      `${branch.op} of branch ${branch.branchId} of ${branch.gid}: give the second one { id: 2 }, the third { id: 3 } ` +
      "(a branch made by hand stands for one delivery: make another object for the next)",
  );
}

/** A branch that the application made by hand is remembered as long as its object lives. */
const byHand = new WeakMap<Branch, string[]>();

/** Remembers that a local transaction of this call was guarded at `place`; true when one was before. */
export function guarded(branch: Branch, place: string): boolean {
  if (branch instanceof BranchCall || isCall(branch)) return branch.guard(place);
  const places = byHand.get(branch);
  if (places === undefined) byHand.set(branch, [place]);
  else if (places.includes(place)) return true;
  else places.push(place);
  return false;
}

/** A call that another copy of this package made: an application can load the ES module and the CommonJS build. */
function isCall(branch: Branch): branch is BranchCall {
  return typeof Reflect.get(branch, "guard") === "function";
}

function show(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value === "number" ? String(value) : typeof value;
  return value.length > 60 ? `a text of ${value.length} characters` : JSON.stringify(value);
}
