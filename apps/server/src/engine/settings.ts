import type { StuckAsk } from "../stores/store.js";
import type { Millis, TransactionType } from "./transaction.js";

/** What can be set server-wide and per transaction type (design.md 5). */
export interface TypeSettings {
  /** Base of the back-off and fixed interval of ONGOING, seconds. */
  readonly retryInterval: number;
  /** Seconds; 0 = never (saga's default). */
  readonly timeoutToFail: number;
  /** Per branch call, seconds. */
  readonly requestTimeout: number;
  /** Cap of the back-off, seconds (R14). */
  readonly retryMaxInterval: number;
  /** Share of the interval that jitter may add, 0 to 1 (R14). */
  readonly retryJitter: number;
  /** Immediate retries of a saga action per drive; 0 = none (R15). */
  readonly retryLimit: number;
  /** Branch calls of one transaction in flight at once; 0 = no limit of its own. */
  readonly concurrency: number;
  /** Failing drives after which it counts as stuck (R16). */
  readonly stuckAfterAttempts: number;
}

export interface EngineSettings {
  readonly types: Readonly<Record<TransactionType, TypeSettings>>;
  /** Seconds; the server's own, whatever a type has instead. */
  readonly timeoutToFail: number;
  /** Idle poll of the scheduler, seconds. */
  readonly transCronInterval: number;
  readonly leaseMs: Millis;
  readonly heartbeatMs: Millis;
  readonly graceMs: Millis;
  /** Transactions driven at once by this process (R17). */
  readonly maxDriving: number;
  /** Calls in flight per destination (R12). */
  readonly destinationLimit: number;
  readonly alertRetryLimit: number;
  /** Without progress for this long beyond its due time it counts as stuck (R16). */
  readonly stuckAfterMs: Millis;
}

export const DEFAULT_TYPE_SETTINGS: TypeSettings = {
  retryInterval: 10,
  timeoutToFail: 35,
  requestTimeout: 3,
  retryMaxInterval: 3600,
  retryJitter: 0.1,
  retryLimit: 0,
  concurrency: 0,
  stuckAfterAttempts: 10,
};

export const DEFAULT_ENGINE_SETTINGS: EngineSettings = {
  types: {
    saga: { ...DEFAULT_TYPE_SETTINGS, timeoutToFail: 0 },
    tcc: DEFAULT_TYPE_SETTINGS,
    xa: DEFAULT_TYPE_SETTINGS,
    msg: DEFAULT_TYPE_SETTINGS,
    workflow: DEFAULT_TYPE_SETTINGS,
  },
  timeoutToFail: DEFAULT_TYPE_SETTINGS.timeoutToFail,
  transCronInterval: 3,
  leaseMs: 5_000,
  heartbeatMs: 1_000,
  graceMs: 10_000,
  maxDriving: 5_000,
  destinationLimit: 256,
  alertRetryLimit: 3,
  stuckAfterMs: 600_000,
};

/** What is stuck at `now` (R16). */
export function toStuckAsk({ types, alertRetryLimit, stuckAfterMs }: EngineSettings, now: Millis): StuckAsk {
  return {
    stuckAttempts: {
      saga: types.saga.stuckAfterAttempts,
      tcc: types.tcc.stuckAfterAttempts,
      xa: types.xa.stuckAfterAttempts,
      msg: types.msg.stuckAfterAttempts,
      workflow: types.workflow.stuckAfterAttempts,
    },
    stuckRefusals: alertRetryLimit,
    overdueBefore: now - stuckAfterMs,
  };
}
