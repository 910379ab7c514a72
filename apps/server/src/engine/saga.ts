/** Saga (protocol.md 4.4): actions forward, sequential or by orders; when one fails, compensations back. */
import {
  AWAIT,
  assertNever,
  DONE,
  restAfter,
  restForApplication,
  type Step,
  startUpTo,
  timedOut,
  timeoutReason,
  type View,
} from "./step.js";
import type { Branch } from "./transaction.js";

export function saga(view: View): Step {
  const { status } = view.transaction;
  switch (status) {
    case "submitted":
      return goForward(view);
    case "aborting":
      return goBack(view);
    case "prepared":
      // Nothing ever submits a prepared saga but its client.
      return restForApplication(view);
    case "succeed":
    case "failed":
      return DONE;
    default:
      return assertNever(status);
  }
}

/** Row 2k is the compensation of step k, row 2k+1 its action (protocol.md 4.3). */
const actionPlace = (step: number): number => 2 * step + 1;
const compensationPlace = (step: number): number => 2 * step;

function goForward(view: View): Step {
  const steps = stepsOf(view);
  const failed = steps.find((step) => actionOf(view, step).status === "failed");
  if (failed !== undefined) return { kind: "move", to: "aborting", reason: failureReason(view, failed) };
  const left = steps.filter((step) => actionOf(view, step).status !== "succeed");
  if (left.length === 0) return { kind: "move", to: "succeed" };
  if (timedOut(view)) return { kind: "move", to: "aborting", reason: timeoutReason(view) };

  // One after the other, only the first can have had its turn.
  const reached = view.plan.concurrent ? left : left.slice(0, 1);
  const limit = view.transaction.options.retryLimit || view.settings.retryLimit;
  const unanswered = reached.filter(
    (step) => isOpen(view, step) && view.answers.get(actionPlace(step)) === undefined && mayStart(view, step),
  );
  const again = limit > 0 ? reached.filter((step) => isOpen(view, step) && isTemporary(view, step)) : [];
  if (again.length > 0 && view.retries >= limit) {
    return { kind: "move", to: "aborting", reason: `RetryCount is greater than RetryLimit, RetryLimit: ${limit}` };
  }
  const startable = [...unanswered, ...again.slice(0, limit - view.retries)].map(actionPlace);
  const next = startable.length > 0 ? startUpTo(view, startable) : AWAIT;
  if (next.kind === "call") return next;
  if (view.inFlight.size > 0) return view.timeoutAt === null ? AWAIT : { kind: "await", until: view.timeoutAt };
  return restAfter(view, reached.map(actionPlace));
}

function goBack(view: View): Step {
  const undo = stepsOf(view).filter((step) => mayHaveRun(view, step));
  const left = undo.filter((step) => compensationOf(view, step).status !== "succeed");
  if (left.length === 0) return { kind: "move", to: "failed" };
  const waiting = new Set(left.flatMap((step) => before(view, step)));
  const startable = left
    .filter((step) => !waiting.has(step))
    // R10: its own action is still on the wire; undoing it now could overtake it.
    .filter((step) => !view.inFlight.has(actionPlace(step)))
    .map(compensationPlace)
    .filter((place) => !view.inFlight.has(place) && view.answers.get(place) === undefined);
  if (startable.length > 0) return startUpTo(view, startable);
  if (view.inFlight.size > 0) return AWAIT;
  return restAfter(view, left.map(compensationPlace));
}

/**
 * An action whose turn had come may have reached its service, though no answer was recorded (protocol.md 4.4, 7). A drive that
 * began with the creation knows better: what it never sent never ran (R10).
 */
function mayHaveRun(view: View, step: number): boolean {
  if (actionOf(view, step).status !== "prepared") return true;
  return view.fresh ? view.started.has(actionPlace(step)) : view.started.has(actionPlace(step)) || mayStart(view, step);
}

function mayStart(view: View, step: number): boolean {
  return before(view, step).every((earlier) => actionOf(view, earlier).status === "succeed");
}

/** Steps whose action must have succeeded before this one's starts, and that are undone only after this one. */
function before(view: View, step: number): readonly number[] {
  if (view.plan.concurrent) return view.plan.orders.get(step) ?? [];
  return step === 0 ? [] : [step - 1];
}

function isOpen(view: View, step: number): boolean {
  return actionOf(view, step).status === "prepared" && !view.inFlight.has(actionPlace(step));
}

function isTemporary(view: View, step: number): boolean {
  const kind = view.answers.get(actionPlace(step))?.kind;
  return kind === "unknown" || kind === "ongoing";
}

/** A failure that another server stored before it died, without moving the saga, has lost its text. */
function failureReason(view: View, step: number): string {
  const answer = view.answers.get(actionPlace(step));
  if (answer?.kind !== "failure") return "fail message lost";
  return `url:${withoutPassword(actionOf(view, step).url)} return failed: ${answer.reason} FAILURE`;
}

/** The reason goes to callers and dashboards. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/?#@]*@/, "//");
}

/** A row without its pair counts as a step, so that it fails loudly instead of being left out. */
function stepsOf(view: View): readonly number[] {
  const steps: number[] = [];
  for (let step = 0; 2 * step < view.branches.length; step++) steps.push(step);
  return steps;
}

function actionOf(view: View, step: number): Branch {
  return branchAt(view, actionPlace(step));
}

function compensationOf(view: View, step: number): Branch {
  return branchAt(view, compensationPlace(step));
}

function branchAt(view: View, place: number): Branch {
  const branch = view.branches[place];
  if (branch === undefined) throw new Error(`saga ${view.transaction.gid} has no branch row ${place}`);
  return branch;
}
