/** The codes of a database's refusal, whichever driver or ORM wraps it. */
import { isRecord } from "./statement.js";

/** Where drivers and ORMs keep the error that they wrap, and its code. */
const WRAPPED = ["cause", "original", "parent", "driverError", "originalError", "meta", "driverAdapterError"] as const;
const CODES = ["code", "errno", "sqlState", "originalCode"] as const;

/** lock_not_available; ER_LOCK_WAIT_TIMEOUT. */
const LOCK_TIMEOUT: ReadonlySet<unknown> = new Set(["55P03", 1205, "1205", "ER_LOCK_WAIT_TIMEOUT"]);

/** The database gave up waiting for somebody else's lock. */
export function isLockTimeout(cause: unknown): boolean {
  return hasCode(cause, LOCK_TIMEOUT);
}

export function hasCode(cause: unknown, codes: ReadonlySet<unknown>): boolean {
  return chain(cause).some((error) => CODES.some((key) => codes.has(error[key])));
}

/** The error and everything that it wraps; errors can point at each other, so each is looked at once. */
export function chain(cause: unknown): readonly Record<string, unknown>[] {
  const seen = new Set<Record<string, unknown>>();
  const look = (value: unknown): void => {
    if (!isRecord(value) || seen.has(value)) return;
    seen.add(value);
    for (const key of WRAPPED) look(value[key]);
  };
  look(cause);
  return [...seen];
}
