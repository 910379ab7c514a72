import type { Millis } from "./transaction.js";

/** The engine's only source of time, so that a test can move it (style.md 3, rules.md R19). */
export interface Clock {
  /** Wall clock; what is stored. */
  now(): Millis;
  /** Never goes back; what in-process waits are measured with. */
  monotonic(): Millis;
  /** Calls once after at least `delay`; the returned function cancels. Spans over 2^31-1 ms are split. */
  after(delay: Millis, callback: () => void): () => void;
  /** Ends when the process has looked at its other work once. Absent where time is virtual: nothing else waits there. */
  giveWay?(): Promise<void>;
}

const LONGEST_TIMER: Millis = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    let timer: NodeJS.Timeout;
    const arm = (left: Millis): void => {
      timer =
        left > LONGEST_TIMER
          ? setTimeout(() => arm(left - LONGEST_TIMER), LONGEST_TIMER)
          : setTimeout(callback, Math.max(0, left));
    };
    arm(delay);
    return () => clearTimeout(timer);
  },
  giveWay: () => new Promise((resolve) => setImmediate(resolve)),
};
