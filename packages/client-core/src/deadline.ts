/** The caller's own clock over a call with all its repeats. Monotonic, so a changed system time neither ends nor prolongs it. */
import { setTimeout as pause } from "node:timers/promises";
import { onAbort } from "./signals.js";
import type { CallLimits, Time } from "./transport.js";

const REAL = Symbol.for("dtm.real-time");

export const realTime: Time & { readonly [REAL]: true } = {
  [REAL]: true,
  monotonic: () => performance.now(),
  pause: async (ms, signal) => {
    const own = new AbortController();
    const stop = onAbort(signal, () => own.abort(signal?.reason));
    await pause(ms, undefined, { signal: own.signal }).finally(stop);
  },
  random: () => Math.random(),
};

/** By a mark, since a client of the CommonJS build may meet workflows of the ES module, whose real time is another object. */
export function isRealTime(time: Time): boolean {
  return Reflect.get(time, REAL) === true;
}

export class Deadline {
  /** What the caller gave, in milliseconds. */
  readonly totalMs: number;
  readonly #endsAt: number;
  readonly #signal: AbortSignal | undefined;
  readonly #time: Time;

  constructor(limits: CallLimits) {
    this.#time = limits.time ?? realTime;
    this.totalMs = limits.timeoutMs;
    this.#endsAt = this.#time.monotonic() + limits.timeoutMs;
    this.#signal = limits.signal;
  }

  get leftMs(): number {
    return this.#signal?.aborted === true ? 0 : Math.max(0, this.#endsAt - this.#time.monotonic());
  }

  get over(): boolean {
    return this.leftMs <= 0;
  }

  /** Why the caller ended the call before its time. */
  get reason(): unknown {
    return this.#signal?.aborted === true ? this.#signal.reason : undefined;
  }

  get aborted(): boolean {
    return this.#signal?.aborted === true;
  }

  /** The limits of one request inside this call. */
  share(part: number): CallLimits {
    return { timeoutMs: Math.max(1, Math.ceil(this.leftMs * part)), signal: this.#signal, time: this.#time };
  }

  /** Waits so long or up to twice as long, but never past the end; returns at once when the caller gives up. */
  async pause(ms: number): Promise<void> {
    const wait = Math.min(ms + this.#time.random() * ms, this.leftMs);
    if (wait <= 0) return;
    try {
      await this.#time.pause(wait, this.#signal);
    } catch (error) {
      if (!this.aborted) throw error;
    }
  }
}

/** Runs one request under its clock: `signal` fires at its end or when the caller gives up. Nothing of it outlives the request. */
export async function underClock<T>(limits: CallLimits, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const { signal } = limits;
  const stop = onAbort(signal, () => controller.abort(signal?.reason));
  const timer = setTimeout(() => {
    controller.abort(new Error(`no answer within ${Math.round(limits.timeoutMs)} ms`));
  }, limits.timeoutMs);
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    stop();
  }
}
