/**
 * What a machine sees and what it may answer. A machine is synchronous and has no clock, log or random of its own:
 * the same view gives the same step, so every hard case can be written down as a table.
 */
import type { Outcome } from "@dtm/protocol";
import type { Plan } from "./plan.js";
import { DEFAULT_TYPE_SETTINGS, type TypeSettings } from "./settings.js";
import type { Branch, GlobalStatus, Millis, Transaction } from "./transaction.js";

/** Stands for the application's callback (query-prepared, workflow recall) where others stand for a branch's place in the list. */
export const CALLBACK = -1;

/** What came of a call in this drive. `deferred`: it was not sent (breaker open, no slot); that is no attempt (R12, R13). */
export type Answer = Outcome | { readonly kind: "deferred"; readonly untilMs: Millis };

export interface View {
  readonly transaction: Transaction;
  /** In creation order, with the results of this drive applied, written or not. */
  readonly branches: readonly Branch[];
  /** What custom_data says. */
  readonly plan: Plan;
  readonly settings: TypeSettings;
  readonly now: Millis;
  /** When it times out; null for never. */
  readonly timeoutAt: Millis | null;
  /** This drive began with the transaction's creation: every call ever made is in `started`. */
  readonly fresh: boolean;
  /** Branch places called in this drive. */
  readonly started: ReadonlySet<number>;
  readonly inFlight: ReadonlySet<number>;
  /** The last answer of each place in this drive. */
  readonly answers: ReadonlyMap<number, Answer>;
  /** Immediate repetitions made in this drive (R15). */
  readonly retries: number;
}

/** How the next look is timed (protocol.md 4.2, R14): the base again, the interval as it is, doubled, or not an attempt at all. */
export type Pace = "reset" | "keep" | "backOff" | "defer";

export interface Rest {
  readonly kind: "rest";
  readonly pace: Pace;
  /** Not before this, whatever the pace says; absent: the pace alone decides. */
  readonly until?: Millis;
  /** Only its application can move it on, which took too long: it counts as stuck from now on (R16). */
  readonly stuck?: boolean;
}

export type Step =
  /** Start these now: places in the branch list, or CALLBACK. */
  | { readonly kind: "call"; readonly calls: readonly number[] }
  /** Calls are out: wait for one answer, or until the time given. */
  | { readonly kind: "await"; readonly until?: Millis }
  | { readonly kind: "move"; readonly to: GlobalStatus; readonly reason?: string }
  | Rest
  | { readonly kind: "done" };

export const AWAIT: Step = { kind: "await" };
export const DONE: Step = { kind: "done" };

export function timedOut(view: View): boolean {
  return view.timeoutAt !== null && view.now >= view.timeoutAt;
}

/** The effective value, also where the server's default applied (protocol.md 9, Q18). */
export function timeoutReason(view: View): string {
  const seconds = view.transaction.options.timeoutToFail || view.settings.timeoutToFail;
  return `Timeout after ${seconds} seconds`;
}

/**
 * What waits for its own application's next word is looked at ever more rarely, and is stuck once that takes longer than TimeoutToFail (R16).
 * Saga's 0 lets its branches take for ever, not an application that prepared one: 35 s stand in.
 */
export function restForApplication(view: View): Rest {
  const { options, createTime } = view.transaction;
  const seconds = options.timeoutToFail || view.settings.timeoutToFail || DEFAULT_TYPE_SETTINGS.timeoutToFail;
  return { kind: "rest", pace: "backOff", stuck: view.now >= createTime + seconds * 1000 };
}

/** How to rest after answers that were no success: a temporary error backs off, ONGOING keeps, a deferral is no attempt. */
export function restAfter(view: View, places: Iterable<number>): Rest {
  let pace: Pace = "defer";
  let until: Millis | undefined;
  for (const place of places) {
    const answer = view.answers.get(place);
    if (answer === undefined || answer.kind === "success") continue;
    if (answer.kind === "deferred") until = Math.max(until ?? 0, answer.untilMs);
    else if (answer.kind === "ongoing") pace = pace === "backOff" ? pace : "keep";
    else pace = "backOff";
  }
  return pace === "defer" && until !== undefined ? { kind: "rest", pace, until } : { kind: "rest", pace };
}

/** Holds a transaction's own calls in flight to the type's `concurrency`; 0 is no limit. */
export function startUpTo(view: View, places: readonly number[]): Step {
  const limit = view.settings.concurrency;
  const free = limit === 0 ? places.length : limit - view.inFlight.size;
  return free > 0 ? { kind: "call", calls: places.slice(0, free) } : AWAIT;
}

export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
