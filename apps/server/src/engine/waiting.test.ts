import type { Outcome } from "@dtm/protocol";
import { aTransaction } from "../../test/kit/views.js";
import type { Waited } from "./engine.js";
import { Refusal } from "./refusal.js";
import type { GlobalStatus, TransactionType } from "./transaction.js";
import { answerWaiting, NOTICE } from "./waiting.js";

const ONGOING: Outcome = { kind: "ongoing", reason: "" };
const FAILURE: Outcome = { kind: "failure", reason: "no stock" };
const ERROR: Outcome = { kind: "unknown", message: "connection reset" };
const GRPC_ERROR: Outcome = { kind: "unknown", message: "rpc error", grpcCode: 14 };

const NOT_YET = "409 WAIT_NOT_SUCCESS wait result not return success: FAILURE";

function answer(asked: "submit" | "abort", type: TransactionType, waited: Waited): string {
  try {
    answerWaiting(asked, aTransaction(type, asked === "submit" ? "submitted" : "aborting"), waited);
    return "200";
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    return `${cause.form.http} ${cause.code} ${cause.message}`;
  }
}

const final = (type: TransactionType, status: GlobalStatus, rollbackReason = ""): Waited => ({
  kind: "final",
  transaction: aTransaction(type, status, { rollbackReason }),
});

const rested = (
  type: TransactionType,
  status: GlobalStatus,
  outcome: Outcome | null,
  why: Extract<Waited, { kind: "rested" }>["why"] = "pace",
): Waited => ({
  kind: "rested",
  transaction: aTransaction(type, status, { rollbackReason: status === "aborting" ? "because" : "" }),
  due: 0,
  answer: outcome,
  why,
});

// The rows of protocol.md 4.12, in its order.
describe("a waiting submit", () => {
  test.each<[string, TransactionType, Waited, string]>([
    ["saga succeeded", "saga", final("saga", "succeed"), "200"],
    ["tcc succeeded", "tcc", final("tcc", "succeed"), "200"],
    ["msg succeeded", "msg", final("msg", "succeed"), "200"],
    ["saga failed", "saga", final("saga", "failed", "no stock"), "409 ROLLED_BACK no stock FAILURE"],
    ["saga still aborting", "saga", rested("saga", "aborting", ERROR), "409 ROLLED_BACK because FAILURE"],
    ["saga ongoing", "saga", rested("saga", "submitted", ONGOING), NOT_YET],
    ["saga met an error", "saga", rested("saga", "submitted", ERROR), NOT_YET],
    ["saga slow", "saga", { kind: "running", transaction: aTransaction("saga", "submitted") }, NOT_YET],
    [
      "saga slow while it goes back",
      "saga",
      { kind: "running", transaction: aTransaction("saga", "aborting", { rollbackReason: "because" }) },
      "409 ROLLED_BACK because FAILURE",
    ],
    ["msg ongoing", "msg", rested("msg", "submitted", ONGOING), NOT_YET],
    ["msg delayed", "msg", rested("msg", "submitted", null), NOT_YET],
    ["msg slow", "msg", { kind: "running", transaction: aTransaction("msg", "submitted") }, NOT_YET],
    ["msg met an error", "msg", rested("msg", "submitted", ERROR), `500 BRANCH_ERROR ${NOTICE}connection reset`],
    ["msg was refused", "msg", rested("msg", "submitted", FAILURE), `409 BRANCH_REFUSED ${NOTICE}no stock FAILURE`],
    ["msg was stopped by force", "msg", final("msg", "failed", "by hand"), "409 ROLLED_BACK by hand FAILURE"],
    ["tcc ongoing", "tcc", rested("tcc", "submitted", ONGOING), "425 BRANCH_ONGOING ONGOING"],
    ["xa ongoing", "xa", rested("xa", "submitted", ONGOING), "425 BRANCH_ONGOING ONGOING"],
    ["tcc slow", "tcc", { kind: "running", transaction: aTransaction("tcc", "submitted") }, "425 BRANCH_ONGOING ONGOING"],
    ["tcc met an error", "tcc", rested("tcc", "submitted", ERROR), `500 BRANCH_ERROR ${NOTICE}connection reset`],
    ["xa was refused", "xa", rested("xa", "submitted", FAILURE), `409 BRANCH_REFUSED ${NOTICE}no stock FAILURE`],
    ["tcc had no slot", "tcc", rested("tcc", "submitted", null, "deferred"), "425 BRANCH_ONGOING ONGOING"],
    ["another node took it", "saga", { kind: "lost" }, NOT_YET],
    [
      "the server stops",
      "saga",
      rested("saga", "submitted", null, "stopped"),
      "503 UNAVAILABLE the server is stopping; the transaction goes on",
    ],
    [
      "the store failed",
      "saga",
      { kind: "broken", cause: new Error("x"), retryAt: 0 },
      "503 UNAVAILABLE the store can't answer; the transaction goes on",
    ],
  ])("%s", (_name, type, waited, expected) => {
    expect(answer("submit", type, waited)).toBe(expected);
  });

  test("the branch's own status code is kept for a gRPC caller", () => {
    expect.assertions(1);
    try {
      answerWaiting("submit", aTransaction("tcc", "submitted"), rested("tcc", "submitted", GRPC_ERROR));
    } catch (cause) {
      expect(cause).toMatchObject({ options: { grpcCode: 14 } });
    }
  });
});

describe("a waiting abort", () => {
  test.each<[string, Waited, string]>([
    ["failed, as asked", final("tcc", "failed", "because"), "200"],
    ["ongoing", rested("tcc", "aborting", ONGOING), "425 BRANCH_ONGOING ONGOING"],
    ["an error", rested("tcc", "aborting", ERROR), `500 BRANCH_ERROR ${NOTICE}connection reset`],
    ["a refusal", rested("tcc", "aborting", FAILURE), `409 BRANCH_REFUSED ${NOTICE}no stock FAILURE`],
  ])("%s", (_name, waited, expected) => {
    expect(answer("abort", "tcc", waited)).toBe(expected);
  });
});
