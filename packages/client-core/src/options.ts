/** What a caller may set for one transaction or one call, checked before anything is sent. */
import { DtmError } from "@dtm/protocol";
import { describe, requireKnown, requireObject } from "./address.js";
import { checkGid } from "./gid.js";
import { checkBranchHeaders } from "./headers.js";

/** The clock of one call. */
export interface CallOptions {
  /** How long this call may take with all its repeats, in milliseconds. Default: the client's `timeoutMs` (10,000). */
  readonly timeoutMs?: number | undefined;
  /** Ends the call; what the coordinator did by then is unknown. */
  readonly signal?: AbortSignal | undefined;
}

/** What every type of transaction can be told. */
export interface TransactionOptions extends CallOptions {
  /**
   * The transaction's id. Default: a new one. Choose it to make a request repeatable: an order's number, for instance. Who submits under it again
   * while the transaction is under way joins it, whatever he brings; once it has ended he gets TRANSACTION_CONFLICT with its `status`.
   */
  readonly gid?: string | undefined;
  /**
   * Submit answers when the coordinator has tried the transaction once, not when it is accepted: it resolves when everything has succeeded by then,
   * and throws TRANSACTION_RUNNING when something is to be tried again. `waitFor` waits for the end itself. Default: false.
   */
  readonly waitResult?: boolean | undefined;
  /** After how many seconds an unfinished transaction is rolled back. Default and 0: the coordinator's setting; sagas then wait for ever. */
  readonly timeoutToFailSeconds?: number | undefined;
  /** How many seconds the coordinator waits for one answer of a branch. Default and 0: the coordinator's setting (3). */
  readonly requestTimeoutSeconds?: number | undefined;
  /** The first interval between attempts, in seconds. Default and 0: the coordinator's setting (10). */
  readonly retryIntervalSeconds?: number | undefined;
  /** Headers (metadata over gRPC) that every branch call carries: names of letters, digits, `_`, `.` and `-`, not ending in `-bin`. What belongs to the connection or the message's framing is left out. Default: none. */
  readonly branchHeaders?: Readonly<Record<string, string>> | undefined;
}

/** Options of a saga. */
export interface SagaOptions extends TransactionOptions {
  /** How often a failing action is repeated at once before the saga is rolled back. Default and 0: for ever, with back-off. */
  readonly retryLimit?: number | undefined;
}

/** Options of a message. */
export interface MsgOptions extends TransactionOptions {
  /** All steps at once instead of one after the other. Over HTTP only: gRPC has no field for it. Default: false. */
  readonly concurrent?: boolean | undefined;
}

/** The options as the wire has them (protocol.md 1.3). */
export interface WireOptions {
  readonly waitResult: boolean;
  readonly timeoutToFail: number;
  readonly requestTimeout: number;
  readonly retryInterval: number;
  readonly branchHeaders: Readonly<Record<string, string>>;
  readonly retryLimit: number;
  readonly concurrent: boolean;
}

const TEN_YEARS_SECONDS = 10 * 365 * 86_400;
/** Node's timers end at 2³¹ − 1 ms. */
export const LONGEST_TIMEOUT_MS = 2_147_483_647;
const CALL = { timeoutMs: true, signal: true } satisfies Record<keyof CallOptions, true>;
const TRANSACTION = {
  gid: true,
  waitResult: true,
  timeoutToFailSeconds: true,
  requestTimeoutSeconds: true,
  retryIntervalSeconds: true,
  branchHeaders: true,
  ...CALL,
} satisfies Record<keyof TransactionOptions, true>;
/** Whose options there are: what TCC, XA and workflows take, and what sagas and messages take in addition. */
const KNOWN = {
  transaction: TRANSACTION,
  saga: { ...TRANSACTION, retryLimit: true } satisfies Record<keyof SagaOptions, true>,
  msg: { ...TRANSACTION, concurrent: true } satisfies Record<keyof MsgOptions, true>,
} as const;

/**
 * @param of - Another type's option would be accepted, and do nothing.
 * @throws DtmError OPTION_INVALID, naming the option.
 */
export function toWireOptions(
  options: TransactionOptions & SagaOptions & MsgOptions,
  of: keyof typeof KNOWN = "transaction",
): WireOptions {
  requireObject(options, "OPTION_INVALID", "options");
  if (of === "saga" && "concurrent" in options) {
    const message = `concurrent: expected as a call, client.saga().concurrent(), found the option ${describe(options.concurrent)}`;
    throw new DtmError("OPTION_INVALID", message);
  }
  requireKnown(options, KNOWN[of], { what: of === "transaction" ? "options" : `options of a ${of}` });
  if (options.gid !== undefined) checkGid(options.gid);
  checkCall(options);
  return {
    waitResult: flag("waitResult", options.waitResult),
    timeoutToFail: seconds("timeoutToFailSeconds", options.timeoutToFailSeconds),
    requestTimeout: seconds("requestTimeoutSeconds", options.requestTimeoutSeconds),
    retryInterval: seconds("retryIntervalSeconds", options.retryIntervalSeconds),
    branchHeaders: checkBranchHeaders("branchHeaders", options.branchHeaders ?? {}),
    retryLimit: count("retryLimit", options.retryLimit),
    concurrent: flag("concurrent", options.concurrent),
  };
}

/**
 * The options of one call over those of its transaction; what the call leaves undefined stays as it is.
 *
 * @throws DtmError OPTION_INVALID for a gid, which names the transaction from its beginning.
 */
export function over<Base extends object>(base: Base, call: Partial<Base>): Base {
  requireObject(call, "OPTION_INVALID", "options");
  if ("gid" in call && call.gid !== undefined) {
    const message = `gid: expected where the transaction is made, found ${describe(call.gid)} in the options of a call`;
    throw new DtmError("OPTION_INVALID", message);
  }
  return { ...base, ...Object.fromEntries(Object.entries(call).filter(([, value]) => value !== undefined)) };
}

/**
 * For a call that takes its clock and nothing else.
 *
 * @throws DtmError OPTION_INVALID, naming the option.
 */
export function onlyCall(options: CallOptions): CallOptions {
  requireKnown(options, CALL, { what: "options" });
  checkCall(options);
  return options;
}

/** @throws DtmError OPTION_INVALID, naming the option. */
export function checkCall(options: CallOptions): void {
  requireObject(options, "OPTION_INVALID", "options");
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined) checkTimeout("timeoutMs", timeoutMs);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new DtmError("OPTION_INVALID", `signal: expected an AbortSignal, found ${describe(signal)}`);
}

export function checkTimeout(name: string, value: number): number {
  if (typeof value === "number" && value > 0 && value <= LONGEST_TIMEOUT_MS) return value;
  throw new DtmError(
    "OPTION_INVALID",
    `${name}: expected milliseconds from above 0 to ${LONGEST_TIMEOUT_MS}, found ${describe(value)}`,
  );
}

/** Whole seconds: the wire has integers, and dtm refuses anything else. */
export function seconds(name: string, value: number | undefined): number {
  const found = count(name, value);
  if (found <= TEN_YEARS_SECONDS) return found;
  throw new DtmError("OPTION_INVALID", `${name}: expected at most ten years in seconds, found ${found}`);
}

function count(name: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new DtmError("OPTION_INVALID", `${name}: expected a whole number, 0 or more, found ${describe(value)}`);
}

export function flag(name: string, value: boolean | undefined): boolean {
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw new DtmError("OPTION_INVALID", `${name}: expected true or false, found ${describe(value)}`);
}
