/**
 * Many operations, one commit. The usual batch runs without savepoints; when an operation fails, the whole is rolled back and run again
 * with one savepoint each, so that the bad one fails alone (rules.md R7: data → split).
 */
import type { Database } from "./database.js";
import { codeOf, messageOf, troubleOf } from "./errors.js";
import { apply, attach, inSavepoint } from "./operations.js";
import { noteBatch, type Outcome, recallBatch } from "./sql/last-batch.js";
import { type Answer, type Failure, Packer, type WriteOperation, type WriteReply, type WriteRequest } from "./wire.js";

/** `prove`: writes whether or not something changes, and so tells whether writing works (again). */
export function runBatch(db: Database, request: WriteRequest, prove = false): WriteReply | Failure {
  try {
    return commit(db, request, { applyOne: applyPlainly, prove });
  } catch (cause) {
    rollback(db);
    const trouble = troubleOf(cause);
    if (trouble === "data" || trouble === "defect") return runApart(db, request, prove);
    return failure(cause);
  }
}

/** After a crash: what this batch came to if it had been committed; otherwise nothing of it happened, and it runs now. */
export function runAgain(db: Database, request: WriteRequest, prove = false): WriteReply | Failure {
  const outcomes = recallBatch(db, request.token);
  if (outcomes === null) return runBatch(db, request, prove);
  const packer = new Packer();
  const answers = answersOf(db, request, outcomes, packer);
  return { answers, bytes: packer.bytes() };
}

function runApart(db: Database, request: WriteRequest, prove: boolean): WriteReply | Failure {
  try {
    return commit(db, request, { applyOne: applyApart, prove });
  } catch (cause) {
    rollback(db);
    return failure(cause);
  }
}

type Apply = (db: Database, operation: WriteOperation, bytes: Uint8Array) => Outcome;

const applyPlainly: Apply = (db, operation, bytes) => ({ word: apply(db, operation, bytes) });

const applyApart: Apply = (db, operation, bytes) => {
  try {
    return { word: inSavepoint(db, () => apply(db, operation, bytes)) };
  } catch (cause) {
    const trouble = troubleOf(cause);
    if ((trouble !== "data" && trouble !== "defect") || !db.inTransaction) throw cause;
    return { rejected: messageOf(cause) };
  }
};

interface How {
  readonly applyOne: Apply;
  readonly prove: boolean;
}

function commit(db: Database, { token, operations, bytes }: WriteRequest, { applyOne, prove }: How): WriteReply {
  const packer = new Packer();
  db.run("BEGIN IMMEDIATE", []);
  const before = db.changes;
  const answers: (Answer | Failure)[] = [];
  const outcomes: Outcome[] = [];
  for (const operation of operations) {
    const outcome = applyOne(db, operation, bytes);
    outcomes.push(outcome);
    answers.push(answerOf(db, operation, outcome, packer));
  }
  // Nothing is written while idle: a claim that finds nothing leaves no trace.
  if (prove || db.changes > before) noteBatch(db, token, outcomes);
  db.run("COMMIT", []);
  return { answers, bytes: packer.bytes() };
}

function answersOf(
  db: Database,
  { operations }: WriteRequest,
  outcomes: readonly Outcome[],
  packer: Packer,
): (Answer | Failure)[] {
  return operations.map((operation, place): Answer | Failure => {
    const outcome = outcomes[place];
    if (outcome === undefined) return { failed: "unavailable", message: "the batch was kept without this operation's outcome" };
    return answerOf(db, operation, outcome, packer);
  });
}

function answerOf(db: Database, operation: WriteOperation, outcome: Outcome, packer: Packer): Answer | Failure {
  if ("rejected" in outcome) return { failed: "rejected", message: outcome.rejected };
  return attach(db, operation, outcome.word, packer);
}

/** SQLite ends the transaction itself after some errors. */
function rollback(db: Database): void {
  if (!db.inTransaction) return;
  try {
    db.run("ROLLBACK", []);
  } catch {
    // The error before it is the one to report; a transaction that can't be ended fails the next BEGIN.
  }
}

/** Not for what an operation holds: the same may be stored when there is room again, or whatever else it was is over. */
function failure(cause: unknown): Failure {
  const hint = troubleOf(cause) === "full" ? "; make room where DataDir (DATA_DIR) is" : "";
  return { failed: "unavailable", message: `${codeOf(cause) ?? "error"}: ${messageOf(cause)}${hint}` };
}
