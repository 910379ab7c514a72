/** What TCC and XA share: wait for the client's word, abort on timeout, then run one operation over the registered branches. */
import { AWAIT, assertNever, DONE, restAfter, type Step, timedOut, timeoutReason, type View } from "./step.js";

export interface PhaseTwo {
  readonly forward: string;
  readonly back: string;
  /** TCC goes from the last registered to the first, XA as registered (protocol.md 4.6, 4.7). */
  readonly reverse: boolean;
}

export function phaseTwo(view: View, rules: PhaseTwo): Step {
  const { status } = view.transaction;
  switch (status) {
    case "prepared":
      if (timedOut(view)) return { kind: "move", to: "aborting", reason: timeoutReason(view) };
      return view.timeoutAt === null ? { kind: "rest", pace: "backOff" } : { kind: "rest", pace: "reset", until: view.timeoutAt };
    case "submitted":
      return inOrder(view, rules.forward, rules.reverse) ?? { kind: "move", to: "succeed" };
    case "aborting":
      return inOrder(view, rules.back, rules.reverse) ?? { kind: "move", to: "failed" };
    case "succeed":
    case "failed":
      return DONE;
    default:
      return assertNever(status);
  }
}

/** One at a time; the first that does not succeed ends the drive. Null when all are done. */
function inOrder(view: View, op: string, reverse: boolean): Step | null {
  if (view.inFlight.size > 0) return AWAIT;
  const { branches } = view;
  for (let i = 0; i < branches.length; i++) {
    const place = reverse ? branches.length - 1 - i : i;
    const branch = branches[place];
    if (branch?.op !== op || branch.status === "succeed") continue;
    return view.answers.has(place) ? restAfter(view, [place]) : { kind: "call", calls: [place] };
  }
  return null;
}
