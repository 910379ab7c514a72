/** Two-phase message (protocol.md 4.5): ask back when the client fell silent, then deliver; once submitted it never rolls back. */
import { AWAIT, assertNever, CALLBACK, DONE, restAfter, type Step, startUpTo, timedOut, type View } from "./step.js";

export function msg(view: View): Step {
  const { status } = view.transaction;
  switch (status) {
    case "prepared":
      return askBack(view);
    case "submitted":
      return deliver(view);
    case "aborting":
    case "succeed":
    case "failed":
      return DONE;
    default:
      return assertNever(status);
  }
}

function askBack(view: View): Step {
  if (view.inFlight.size > 0) return AWAIT;
  if (!timedOut(view))
    return view.timeoutAt === null ? { kind: "rest", pace: "backOff" } : { kind: "rest", pace: "reset", until: view.timeoutAt };
  // An empty query_prepared counts as success (Q19).
  if (view.transaction.queryPrepared === "") return { kind: "move", to: "submitted" };
  const answer = view.answers.get(CALLBACK);
  if (answer === undefined) return { kind: "call", calls: [CALLBACK] };
  switch (answer.kind) {
    case "success":
      return { kind: "move", to: "submitted" };
    case "failure":
      return { kind: "move", to: "failed" };
    case "ongoing":
      return { kind: "rest", pace: "reset" };
    case "unknown":
    case "deferred":
      return restAfter(view, [CALLBACK]);
    default:
      return assertNever(answer);
  }
}

function deliver(view: View): Step {
  const { transaction } = view;
  // A row that dtm submitted has no submit time of its own; its delay counts from create_time (protocol.md 4.14).
  const delayedUntil = (transaction.submitTime ?? transaction.createTime) + view.plan.delay * 1000;
  if (view.now < delayedUntil) return { kind: "rest", pace: "reset", until: delayedUntil };

  const candidates = undelivered(view, transaction.options.concurrent ? view.branches.length : 1);
  if (candidates.length === 0) return { kind: "move", to: "succeed" };
  const startable = candidates.filter((place) => !view.inFlight.has(place) && !view.answers.has(place));
  if (startable.length > 0) return startUpTo(view, startable);
  return view.inFlight.size > 0 ? AWAIT : restAfter(view, candidates);
}

/** The places of the first `most` actions that have not succeeded. */
function undelivered({ branches }: View, most: number): number[] {
  const places: number[] = [];
  for (const [place, { op, status }] of branches.entries()) {
    if (places.length === most) break;
    if (op === "action" && status !== "succeed") places.push(place);
  }
  return places;
}
