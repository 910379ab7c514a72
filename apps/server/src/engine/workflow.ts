/** Workflow (protocol.md 4.8): the application runs it; the coordinator keeps its progress and calls it back until it has ended. */
import { AWAIT, assertNever, CALLBACK, DONE, restAfter, restForApplication, type Step, type View } from "./step.js";

export function workflow(view: View): Step {
  const { status } = view.transaction;
  switch (status) {
    case "prepared":
      return recall(view);
    case "submitted":
    case "aborting":
      // The application decides its end; only rows with a status it never sends get here.
      return { kind: "rest", pace: "backOff" };
    case "succeed":
    case "failed":
      return DONE;
    default:
      return assertNever(status);
  }
}

/** The recall's answer says nothing about the end, which the application submits itself. */
function recall(view: View): Step {
  if (view.inFlight.size > 0) return AWAIT;
  if (view.transaction.queryPrepared === "") return restForApplication(view);
  const answer = view.answers.get(CALLBACK);
  if (answer === undefined) return { kind: "call", calls: [CALLBACK] };
  switch (answer.kind) {
    case "success":
    case "failure":
      return { kind: "rest", pace: "backOff" };
    case "ongoing":
    case "unknown":
    case "deferred":
      return restAfter(view, [CALLBACK]);
    default:
      return assertNever(answer);
  }
}
