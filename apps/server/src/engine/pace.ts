/** When to look again (R14, protocol.md 4.2). The stored interval has no jitter; jitter only adds to the due time, and only to back-off. */
import type { TypeSettings } from "./settings.js";
import type { Rest } from "./step.js";
import type { Millis, Transaction } from "./transaction.js";

/** A deferral waits for a destination whose answer wakes it; this is only the clock behind it. */
const DEFERRED_MS: Millis = 60_000;

export interface Schedule {
  readonly nextCronTime: Millis;
  readonly nextCronInterval: number;
  readonly attempts: number;
  readonly refusals: number;
}

export interface PaceView {
  readonly transaction: Transaction;
  readonly settings: TypeSettings;
  readonly now: Millis;
  /** A call succeeded in this drive. */
  readonly progressed: boolean;
  /** An operation that must succeed answered FAILURE in this drive. */
  readonly refused: boolean;
  /** The longest Retry-After heard in this drive; 0 = none. */
  readonly retryAfterMs: Millis;
  /** 0 to 1. */
  readonly random: number;
}

/** Seconds: the transaction's own interval, a shorter own timeout, or the server's (protocol.md 4.2). */
export function baseInterval(
  options: { readonly retryInterval: number; readonly timeoutToFail: number },
  settings: TypeSettings,
): number {
  if (options.retryInterval > 0) return options.retryInterval;
  if (options.timeoutToFail > 0 && options.timeoutToFail < settings.retryInterval) return options.timeoutToFail;
  return settings.retryInterval;
}

export function schedule(view: PaceView, rest: Omit<Rest, "kind">): Schedule {
  const { transaction, settings, now } = view;
  const base = baseInterval(transaction.options, settings);
  const interval = view.progressed || transaction.nextCronInterval <= 0 ? base : transaction.nextCronInterval;
  const attempts = view.progressed ? 0 : transaction.attempts;
  const refusals = (view.progressed ? 0 : transaction.refusals) + (view.refused ? 1 : 0);
  const cap = Math.max(base, settings.retryMaxInterval);
  const longer = Math.min(view.retryAfterMs, cap * 1000);
  switch (rest.pace) {
    case "reset":
      return { nextCronTime: rest.until ?? now + base * 1000, nextCronInterval: base, attempts: 0, refusals };
    case "keep":
      return { nextCronTime: now + Math.max(interval * 1000, longer), nextCronInterval: interval, attempts, refusals };
    case "backOff": {
      const doubled = Math.min(interval * 2, cap);
      const jitter = doubled * 1000 * settings.retryJitter * view.random;
      return {
        nextCronTime: now + Math.max(doubled * 1000 + Math.floor(jitter), longer),
        nextCronInterval: doubled,
        attempts: rest.stuck ? Math.max(attempts + 1, settings.stuckAfterAttempts) : attempts + 1,
        refusals,
      };
    }
    case "defer":
      return { nextCronTime: rest.until ?? now + DEFERRED_MS, nextCronInterval: interval, attempts, refusals };
  }
}
