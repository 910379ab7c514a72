/**
 * One write of the store at a time, inside a batch's transaction. `apply` changes rows and says in a word what came of it; `attach`
 * reads what the answer carries. They are apart so that a batch whose reply was lost is answered by its words alone (R7).
 */
import { isFinal, mergeSubmitted, type Transaction } from "../../engine/transaction.js";
import type { CallerChange, Claim } from "../store.js";
import type { Database } from "./database.js";
import { isUniqueConflict } from "./errors.js";
import { fromGlobalRow, numberAt } from "./rows.js";
import { type Candidate, dueGlobals, nextDue } from "./sql/claim-due.js";
import { insertBranches, ROWS_PER_STATEMENT } from "./sql/insert-branches.js";
import { insertGlobal } from "./sql/insert-global.js";
import { createKey, deleteKey, updateKey } from "./sql/keys.js";
import { loadByGid, loadByIds, plain } from "./sql/load.js";
import { moveGlobal } from "./sql/move.js";
import { nudge } from "./sql/nudge.js";
import { own } from "./sql/own.js";
import { globalByGid } from "./sql/read-global.js";
import { replaceGlobal } from "./sql/replace-global.js";
import { resetDue } from "./sql/reset-due.js";
import { restGlobal } from "./sql/rest.js";
import { settleBranches } from "./sql/settle-branch.js";
import { sweep } from "./sql/sweep.js";
import { touchGlobal } from "./sql/touch.js";
import { waitingGlobals, wakeWaiting } from "./sql/waiting.js";
import type { Answer, Packer, Row, Word, WriteOperation } from "./wire.js";

export function apply(db: Database, operation: WriteOperation, bytes: Uint8Array): Word {
  switch (operation.kind) {
    case "create":
      if (!insertGlobal(db, operation.global)) return "exists";
      insertBranches(db, operation.branches, bytes);
      return "created";
    case "submit":
      if (!insertGlobal(db, operation.global)) return submitPrepared(db, operation.global);
      insertBranches(db, operation.branches, bytes);
      return "created";
    case "register":
      return register(db, operation, bytes);
    case "change":
      return change(db, operation.gid, operation.change);
    case "nudge":
      return nudge(db, operation.gid, operation.at);
    case "move": {
      const { gid, move } = operation;
      if (isFinal(move.status) || !moveGlobal(db, gid, move)) return "refused";
      settleBranches(db, gid, move.results);
      return move.status === "prepared" ? "moved with branches" : "moved";
    }
    case "record": {
      const { gid, fence, results, at } = operation;
      if (isFinal(fence.status) || !touchGlobal(db, gid, fence, at)) return "refused";
      settleBranches(db, gid, results);
      return "done";
    }
    case "rest": {
      const { gid, rest } = operation;
      if (isFinal(rest.status) || !restGlobal(db, gid, rest)) return "refused";
      settleBranches(db, gid, rest.results);
      return "done";
    }
    case "claimDue": {
      const { claim } = operation;
      const ids = claimed(db, dueGlobals(db, claim.now, claim.limit), claim);
      return [nextDue(db), ...ids];
    }
    case "claimWaiting": {
      const { destination, claim } = operation;
      return claimed(db, waitingGlobals(db, destination, claim.limit), claim);
    }
    case "wakeWaiting":
      return wakeWaiting(db, operation.destination, operation.limit, operation.at);
    case "resetDue": {
      const { count, remaining } = resetDue(db, operation.after, operation.at, operation.limit);
      return [count, remaining ? 1 : 0];
    }
    case "sweep":
      return sweep(db, operation.endedBefore, operation.limit);
    case "createKey":
      return createKey(db, operation);
    case "updateKey":
      return updateKey(db, operation);
    case "deleteKey":
      return deleteKey(db, operation.cat, operation.key);
    case "ping":
      return true;
  }
}

/** The words that say everything need no row; the hot path is among them. */
const ALONE: ReadonlySet<Word> = new Set<Word>(["created", "moved", "done", "registered", "duplicate", "not-prepared"]);

export function attach(db: Database, operation: WriteOperation, word: Word, packer: Packer): Answer {
  switch (operation.kind) {
    case "create":
    case "submit":
    case "register":
    case "change":
    case "move":
    case "record":
    case "rest":
      return ALONE.has(word) ? [word] : [word, loadByGid(db, operation.gid, packer)];
    case "claimDue":
      return Array.isArray(word) ? [word[0] ?? null, loadByIds(db, numbers(word.slice(1)), packer)] : [word];
    case "claimWaiting":
      return Array.isArray(word) ? [null, loadByIds(db, numbers(word), packer)] : [word];
    default:
      return [word];
  }
}

/** A prepared one is moved with the submit's options merged in; anything else stays as it is (R8). */
function submitPrepared(db: Database, wanted: Row): Word {
  const submitted = fromGlobalRow([0, ...wanted]);
  const current = stored(db, submitted.gid);
  if (current?.status !== "prepared") return "exists";
  const moved = lease(mergeSubmitted(current, submitted), submitted.owner);
  replaceGlobal(db, moved);
  return holds(moved, submitted.owner) ? "moved and leased" : "moved unleased";
}

function register(db: Database, operation: Extract<WriteOperation, { kind: "register" }>, bytes: Uint8Array): Word {
  if (stored(db, operation.gid)?.status !== "prepared") return "not-prepared";
  try {
    const insert = () => insertBranches(db, operation.branches, bytes);
    if (operation.branches.rows.length > ROWS_PER_STATEMENT) inSavepoint(db, insert);
    else insert();
    return "registered";
  } catch (cause) {
    if (isUniqueConflict(cause)) return "duplicate";
    throw cause;
  }
}

function change(db: Database, gid: string, change: CallerChange): Word {
  const current = stored(db, gid);
  if (current === null || !change.from.includes(current.status)) return "refused";
  const { to, at, owner } = change;
  const changed: Transaction = {
    ...current,
    status: to,
    updateTime: at,
    rollbackReason: current.rollbackReason || (change.rollbackReason ?? ""),
    result: change.result ?? current.result,
    nextCronTime: at,
    waitingOn: "",
  };
  const kept = isFinal(to) ? finished(changed, at) : lease(changed, owner);
  replaceGlobal(db, kept);
  return holds(kept, owner) ? "changed and leased" : "changed unleased";
}

function claimed(db: Database, candidates: readonly Candidate[], claim: Claim): number[] {
  return own(db, candidates, claim.owner);
}

/** All or nothing; what throws is undone and thrown on. A single statement needs none. */
export function inSavepoint<T>(db: Database, work: () => T): T {
  db.exec("SAVEPOINT one");
  try {
    const result = work();
    db.exec("RELEASE one");
    return result;
  } catch (cause) {
    // Some errors end the whole transaction, savepoint included.
    if (db.inTransaction) db.exec("ROLLBACK TO one; RELEASE one");
    throw cause;
  }
}

/** Whoever owns it lives, since one server has the file (R25): it is told by `wake` (R5). */
function lease(transaction: Transaction, owner: string): Transaction {
  return transaction.owner === "" ? { ...transaction, owner } : { ...transaction, wake: transaction.wake + 1 };
}

function holds(transaction: Transaction, owner: string): boolean {
  return owner !== "" && transaction.owner === owner;
}

function finished(transaction: Transaction, at: number): Transaction {
  const times = transaction.status === "succeed" ? { finishTime: at } : { rollbackTime: at };
  return { ...transaction, ...times, owner: "" };
}

function stored(db: Database, gid: string): Transaction | null {
  const row = globalByGid(db, gid);
  return row === undefined ? null : fromGlobalRow(plain(row));
}

function numbers(word: readonly (number | null)[]): number[] {
  return word.map((_, place) => numberAt(word, place));
}
