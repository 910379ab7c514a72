/**
 * The errors of every package that applications use. Each has a stable `code`, so nobody matches on messages; a message says
 * what was expected and what was found.
 */

/** Every code and what it means; `docs/errors.md` is checked against this table. */
export const ERROR_CODES = {
  FAILURE: "The branch refused for good: the global transaction is rolled back.",
  ONGOING: "The branch isn't done yet: the coordinator asks again at the fixed interval.",
  DUPLICATED:
    "The local transaction of this message was decided before, by an earlier attempt or by the coordinator's question: this one did nothing.",
  COORDINATOR_UNREACHABLE:
    "No answer came from the coordinator; whether it acted is unknown, and the same gid may be used again.",
  COORDINATOR_ERROR:
    "The coordinator answered with an error of its own; whether it acted is unknown, and the same gid may be used again.",
  COORDINATOR_REFUSED: "The coordinator answered with an error; nothing was changed by this call.",
  TRANSACTION_CONFLICT: "The transaction is in a status in which this can't be done any more.",
  TRANSACTION_FAILED: "The global transaction was rolled back.",
  TRANSACTION_RUNNING: "The global transaction is still under way; the coordinator brings it to its end.",
  TRANSACTION_UNKNOWN: "The coordinator has no transaction with this gid.",
  BRANCH_UNKNOWN:
    "A branch call ended without a definite answer: a TCC or XA transaction is aborted then, a workflow stays open.",
  CLIENT_CLOSED: "The client was closed: before this call, and nothing was sent, or during it, and what became of it is unknown.",
  DEADLINE_EXCEEDED: "The caller's own deadline passed first.",
  PAYLOAD_INVALID: "A payload can't be put on the wire.",
  STEP_INVALID:
    "A step lacks its action, has an address that nobody can call, or neither has a compensation nor says that it needs none.",
  OPTION_INVALID: "An option has a value that can't be used.",
  NOT_IN_BRANCH: "This needs a branch call of the coordinator around it, and there is none, or its handler has ended.",
  BRANCH_INVALID: "A request came to a branch without the gid, branch id, op and type of one.",
  TRANSACTION_ABORTED: "A statement of the guarded work failed, its error was swallowed, and the database can only roll back.",
  NOT_A_TRANSACTION: "A pool, or a connection without an open transaction, was given where a transaction is needed.",
  NOT_A_POOL: "A connection or a transaction was given where a pool is needed, which a connection is taken out of.",
  TRANSACTION_OPEN: "A connection without an open transaction is needed, since what is written must be durable at once.",
  WRONG_DRIVER: "The transaction object belongs to another driver than the barrier that it was given to.",
  WORK_IS_ASYNC: "The driver is synchronous, so the work must be: it is an async function, or returned a promise.",
  BARRIER_ID_REUSED: "A second local transaction of the same branch call needs a barrier id of its own.",
  BARRIER_TABLE_MISSING: "The barrier table doesn't exist in this database.",
  XID_TOO_LONG: "The gid and branch id are together longer than the database's limit for XA ids.",
  XA_UNSUPPORTED: "The database isn't set up for XA transactions.",
  XA_NOT_PREPARED:
    "Phase 2 of an XA branch found no prepared transaction, and no sign that it was settled in the same direction before.",
  KEYS_IN_OTHER_SLOTS: "The keys of one barrier call are in different slots of a Redis Cluster.",
  WORKFLOW_UNKNOWN: "No workflow is registered under this name.",
} as const;

/** A stable name for what went wrong: a key of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

const KINDS = Symbol.for("dtm.error-kinds");

/**
 * Base of all errors of these packages. `instanceof` also holds for an error that another copy of the package made (an application can
 * load the ES module and the CommonJS build): a `Failure` that isn't recognised would be retried instead of rolled back.
 */
export class DtmError extends Error {
  /** What went wrong, from {@link ERROR_CODES}; never changes between releases. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    const kinds = kindsFrom(new.target);
    Object.defineProperty(this, KINDS, { value: new Set(kinds), enumerable: false });
    this.name = kinds[0] ?? "DtmError";
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that stands right of instanceof, which may be a derived one
    return isKind(this, value);
  }
}

/** Thrown by a branch to refuse for good: the global transaction is rolled back. HTTP 409, gRPC ABORTED. */
export class Failure extends DtmError {
  constructor(message = "FAILURE", options?: { readonly cause?: unknown }) {
    super("FAILURE", message, options);
  }
}

/** Thrown by a branch that isn't done yet: the coordinator asks again at the fixed interval. HTTP 425, gRPC FAILED_PRECONDITION. */
export class Ongoing extends DtmError {
  /** Ask again not before so many seconds; only ever lengthens the coordinator's own interval. Absent: its interval. */
  readonly retryAfterSeconds?: number;

  constructor(message = "ONGOING", options?: { readonly cause?: unknown; readonly retryAfterSeconds?: number }) {
    super("ONGOING", message, options);
    if (options?.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

const OWN_KINDS = new Map<unknown, string>([
  [DtmError, "DtmError"],
  [Failure, "Failure"],
  [Ongoing, "Ongoing"],
]);

/** For the error classes of sibling packages: `instanceof` then also holds for what another copy of theirs made. */
export function registerKind(type: new (...parts: never[]) => DtmError, kind: string): void {
  OWN_KINDS.set(type, kind);
}

/** Of a class and those that it derives from, the nearest first. An application's own classes have none. */
function kindsFrom(type: unknown): string[] {
  const kinds: string[] = [];
  for (let each = type; typeof each === "function"; each = Object.getPrototypeOf(each)) {
    const kind = OWN_KINDS.get(each);
    if (kind !== undefined) kinds.push(kind);
  }
  return kinds;
}

function kindsOf(value: unknown): Set<string> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const kinds: unknown = Reflect.get(value, KINDS);
  return kinds instanceof Set ? kinds : undefined;
}

/** A class that an application derives isn't in the table, and is asked in the ordinary way. */
function isKind(type: unknown, value: unknown): boolean {
  const kind = OWN_KINDS.get(type);
  if (kind !== undefined) return kindsOf(value)?.has(kind) === true;
  return typeof type === "function" && Function.prototype[Symbol.hasInstance].call(type, value);
}
