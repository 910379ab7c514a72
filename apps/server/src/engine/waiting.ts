/** What a `wait_result` caller is told (protocol.md 4.12, R11). A 409 of a waiting submit is no proof of a rollback (Q22). */
import type { Outcome } from "@dtm/protocol";
import type { Waited } from "./engine.js";
import { Refusal } from "./refusal.js";
import { assertNever } from "./step.js";
import type { Transaction } from "./transaction.js";

/** dtm's own words around an answer that is none of the known ones; users find the page by them. */
export const NOTICE =
  "your http/grpc result should be specified as in:\nhttp://d.dtm.pub/practice/arch.html#proto\nunkown result will be retried: ";

/** Returns when the caller got what was asked for; throws the refusal otherwise. */
export function answerWaiting(asked: "submit" | "abort", began: Transaction, waited: Waited): void {
  switch (waited.kind) {
    case "final":
      return answerFinal(asked, waited.transaction);
    case "rested":
      if (waited.why === "stopped") throw new Refusal("UNAVAILABLE", "the server is stopping; the transaction goes on");
      return answerUnfinished(waited.transaction, waited.answer);
    case "running":
      return answerUnfinished(waited.transaction, null);
    case "lost":
      return answerUnfinished(began, null);
    case "broken":
      throw new Refusal("UNAVAILABLE", "the store can't answer; the transaction goes on", { cause: waited.cause });
    default:
      assertNever(waited);
  }
}

function answerFinal(asked: "submit" | "abort", transaction: Transaction): void {
  const wanted = asked === "submit" ? "succeed" : "failed";
  if (transaction.status === wanted) return;
  throw rolledBack(transaction);
}

function answerUnfinished(transaction: Transaction, answer: Outcome | null): never {
  const { type, status } = transaction;
  if (type === "saga") throw status === "aborting" ? rolledBack(transaction) : notYet();
  if (type === "msg" && (answer === null || answer.kind === "ongoing" || answer.kind === "success")) throw notYet();
  throw unfinishedBranch(answer);
}

function unfinishedBranch(answer: Outcome | null): Refusal {
  if (answer === null || answer.kind === "success") return new Refusal("BRANCH_ONGOING", "ONGOING");
  switch (answer.kind) {
    case "ongoing":
      return new Refusal("BRANCH_ONGOING", "ONGOING");
    case "failure":
      return new Refusal("BRANCH_REFUSED", `${NOTICE}${answer.reason} FAILURE`);
    case "unknown":
      return new Refusal(
        "BRANCH_ERROR",
        `${NOTICE}${answer.message}`,
        answer.grpcCode === undefined ? {} : { grpcCode: answer.grpcCode },
      );
    default:
      return assertNever(answer);
  }
}

/** What dtm says when there is no reason. */
const NO_REASON = "wait result not return success: FAILURE";

/** A reason that ends with the word already keeps it once, as in dtm's answer. */
function rolledBack({ rollbackReason }: Transaction): Refusal {
  if (rollbackReason === "") return new Refusal("ROLLED_BACK", NO_REASON);
  return new Refusal("ROLLED_BACK", rollbackReason.endsWith(" FAILURE") ? rollbackReason : `${rollbackReason} FAILURE`);
}

function notYet(): Refusal {
  return new Refusal("WAIT_NOT_SUCCESS", NO_REASON);
}
