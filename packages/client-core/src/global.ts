/**
 * What TCC and XA have in common (protocol.md 6.4): prepare, the user's callback with its branch calls, then submit or abort. A branch
 * whose call failed is registered already and would be confirmed by a submit, so one failed branch decides for the whole: whoever
 * catches its error, or forgets to await it, gets the rollback all the same.
 */

import { currentBranch, nest } from "@dtm/barrier/internal";
import { DtmError } from "@dtm/protocol";
import { requireFunction } from "./address.js";
import { BranchIds } from "./branch-ids.js";
import type { Coordinator } from "./coordinator.js";
import { randomGid } from "./gid.js";
import { checkBranchHeaders } from "./headers.js";
import { type CallOptions, type TransactionOptions, toWireOptions, type WireOptions } from "./options.js";
import type { CallLimits } from "./transport.js";
import { givenUpBefore } from "./unsent.js";

/** The branch that a service serves, as the entry points of @dtm/barrier give it. */
export interface ParentBranch {
  readonly gid: string;
  readonly transType: string;
  readonly branchId: string;
  /** The coordinator as the caller named it. */
  readonly coordinator?: string | undefined;
}

/** Where the branches of one global transaction (or nested ones, below one branch) come from. */
export interface ScopeParts {
  readonly coordinator: Coordinator;
  readonly gid: string;
  readonly ids: BranchIds;
  readonly headers: Readonly<Record<string, string>>;
  readonly call: CallOptions;
  /** Another coordinator than the client's own. */
  readonly address?: string | undefined;
  /** What becomes of the transaction when a branch can't be called any more. */
  readonly otherwise: string;
}

/** The branches that one callback opens; one that fails decides for the whole, also when its error is caught or not awaited. */
export abstract class BranchScope {
  readonly gid: string;
  protected readonly parts: ScopeParts;
  readonly #pending = new Set<Promise<unknown>>();
  #failed: { readonly error: unknown } | null = null;
  #closed = false;

  constructor(parts: ScopeParts) {
    this.parts = parts;
    this.gid = parts.gid;
  }

  /**
   * The limits of one call of a branch.
   *
   * @param what - The call: others may have been made before, so its error says what becomes of them.
   */
  protected limits(options: CallOptions, what: string): CallLimits {
    const { coordinator, gid, otherwise } = this.parts;
    return coordinator.limits(options, { gid, what, done: otherwise });
  }

  protected track<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      const message = `expected a branch inside the callback or handler of ${this.gid}, found one after its end`;
      return Promise.reject(new DtmError("TRANSACTION_CONFLICT", message));
    }
    const running = call();
    const noted = running.then(
      () => undefined,
      (error: unknown) => {
        this.#failed ??= { error };
      },
    );
    this.#pending.add(noted);
    void noted.finally(() => this.#pending.delete(noted));
    return running;
  }

  /** Waits for calls that nobody awaited: each has its clock. No call can begin afterwards. */
  async settle(): Promise<{ readonly error: unknown } | null> {
    this.#closed = true;
    await Promise.all(this.#pending);
    return this.#failed;
  }
}

export async function runGlobal<Scope extends BranchScope, T>(
  coordinator: Coordinator,
  transType: "tcc" | "xa",
  options: TransactionOptions,
  open: (parts: ScopeParts) => Scope,
  work: (scope: Scope) => Promise<T> | T,
): Promise<T> {
  const wire = toWireOptions(options);
  requireFunction(work, "OPTION_INVALID", transType);
  if (wire.waitResult) coordinator.transport.requireQuery();
  const gid = options.gid ?? randomGid();
  const request = { gid, transType, options: wire };
  const call = { timeoutMs: options.timeoutMs, signal: options.signal };
  await coordinator.prepare(request, call);
  const otherwise = "whatever its branches did is rolled back";
  const scope = open({ coordinator, gid, ids: new BranchIds(""), headers: wire.branchHeaders, call, otherwise });
  const ended = await endOf(scope, work);
  const failure = ended.ok ? givenUp(options.signal, gid) : ended;
  if (failure === null && ended.ok) {
    const begun = { gid, what: "submit", done: "its branches are done, and the coordinator rolls them back by its timeout" };
    await coordinator.submit(request, call, { prepared: true, again: false, begun });
    return ended.value;
  }
  const error = failure?.error;
  // The caller's signal may be why it is aborted, so the abort has a clock of its own.
  await quietly(coordinator, () => coordinator.abort({ ...request, rollbackReason: reasonOf(error) }, {}), `abort of ${gid}`);
  throw error;
}

type Ended<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

async function endOf<Scope extends BranchScope, T>(scope: Scope, work: (scope: Scope) => Promise<T> | T): Promise<Ended<T>> {
  let ended: Ended<T>;
  try {
    ended = { ok: true, value: await work(scope) };
  } catch (error) {
    ended = { ok: false, error };
  }
  const failed = await scope.settle();
  return ended.ok && failed !== null ? { ok: false, error: failed.error } : ended;
}

function givenUp(signal: AbortSignal | undefined, gid: string): { readonly error: unknown } | null {
  if (signal?.aborted !== true) return null;
  const done = "whatever its branches did is rolled back";
  return { error: givenUpBefore({ gid, what: "submit", done }, signal.reason) };
}

/** Does what follows an error that is thrown anyway: its own error becomes a warning, since only one can be thrown. */
export async function quietly(coordinator: Coordinator, work: () => Promise<unknown>, what: string): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const code = cause instanceof DtmError ? cause.code : "COORDINATOR_ERROR";
    coordinator.warn(new DtmError(code, `${what} failed, the coordinator ends it by its own clock: ${message}`, { cause }));
  }
}

const LONGEST_REASON = 1023;

export function reasonOf(error: unknown): string {
  return [...textOf(error)].slice(0, LONGEST_REASON).join("");
}

/** Anything can be thrown, and what has no text must be rolled back like the rest. */
function textOf(error: unknown): string {
  try {
    const text: unknown = error instanceof Error ? error.message : String(error);
    if (typeof text === "string") return text;
  } catch {
    // Its own code, or none: an object without a prototype has no toString.
  }
  return "an error without a text";
}

export function headersOf(
  all: WireOptions["branchHeaders"],
  own: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  return own === undefined ? all : { ...all, ...checkBranchHeaders("headers", own) };
}

const NESTED = Symbol.for("dtm.nested-branch-ids");

/**
 * One counter per branch call, whoever opens nested branches in it and how often. One map per process: an application can load the ES
 * module and the CommonJS build, and both would give the same ids.
 */
function counters(): WeakMap<object, BranchIds> {
  const existing: unknown = Reflect.get(globalThis, NESTED);
  if (existing instanceof WeakMap) return existing;
  const created = new WeakMap<object, BranchIds>();
  Reflect.set(globalThis, NESTED, created);
  return created;
}

/** Nested branches of `given`, or of the call that the running code serves; that call waits for them. */
export function openNested<Scope extends BranchScope>(
  coordinator: Coordinator,
  transType: "tcc" | "xa",
  given: ParentBranch | undefined,
  open: (parts: ScopeParts) => Scope,
): Scope {
  coordinator.limits({});
  const parent: ParentBranch = given ?? currentBranch();
  const scope = open(nestedParts(coordinator, transType, parent));
  nest(parent, scope);
  return scope;
}

function nestedParts(coordinator: Coordinator, transType: "tcc" | "xa", parent: ParentBranch): ScopeParts {
  if (parent.transType !== transType) {
    throw new DtmError(
      "BRANCH_INVALID",
      `expected a branch of a ${transType} transaction, found one of type "${parent.transType}"`,
    );
  }
  const nested = counters();
  const ids = nested.get(parent) ?? new BranchIds(parent.branchId);
  nested.set(parent, ids);
  return {
    coordinator,
    gid: parent.gid,
    ids,
    headers: {},
    call: {},
    address: parent.coordinator === "" ? undefined : parent.coordinator,
    otherwise: "what becomes of the transaction is up to whoever began it",
  };
}
