/**
 * What a handler begins in the name of its branch call and may leave under way: the nested branches of a client, and guarded local
 * transactions. A nested branch is registered with the coordinator already, so whoever forgets to await one, or catches its error, would have a
 * refusal confirmed; a local transaction that nobody awaits would be told as a success whatever becomes of it. The call ends when they do, and
 * with their first error. Knows no client and no barrier; they register here.
 */
import { type Branch, DtmError } from "@dtm/protocol";
import { type BranchCall, runInBranch, servedBranch } from "./context.js";

/** The nested branches that one handler opened together, or a guarded local transaction. */
export interface NestedScope {
  /** Waits for what is under way, and refuses what comes later. The first error, also one that the handler has caught; null for none. */
  settle(): Promise<{ readonly error: unknown } | null>;
}

/** `ended`: the handler's answer is on its way, so nothing can be added to it. */
type Opened = Set<NestedScope> | "ended";

const OPENED = Symbol.for("dtm.nested-scopes");

/** One per process: an application can load the ES module and the CommonJS build, and a scope of either holds the same call back. */
const opened: WeakMap<object, Opened> = sharedOpened();

function sharedOpened(): WeakMap<object, Opened> {
  const existing: unknown = Reflect.get(globalThis, OPENED);
  if (existing instanceof WeakMap) return existing;
  const created = new WeakMap<object, Opened>();
  Reflect.set(globalThis, OPENED, created);
  return created;
}

/**
 * Runs `work` as the handler of `call`, and waits for the nested branches and guarded local transactions that it began.
 *
 * @throws What `work` throws; else the first error of a nested branch, or of a local transaction that it didn't await.
 */
export async function runAsBranch<T>(call: BranchCall, work: () => PromiseLike<T> | T): Promise<T> {
  const scopes = new Set<NestedScope>();
  opened.set(call, scopes);
  let failed: { readonly error: unknown } | null;
  let value: T;
  try {
    value = await runInBranch(call, async () => work());
  } finally {
    opened.set(call, "ended");
    call.end();
    failed = await settleAll(scopes);
  }
  if (failed !== null) throw failed.error;
  return value;
}

async function settleAll(scopes: ReadonlySet<NestedScope>): Promise<{ readonly error: unknown } | null> {
  const ends = await Promise.all([...scopes].map((scope) => scope.settle()));
  return ends.find((end) => end !== null) ?? null;
}

/**
 * Has the call that `parent` stands for wait for a scope: the call itself, or the one around the running code when `parent` was made by hand.
 * Where nobody serves it there is nobody to wait, and the scope's errors are its opener's alone.
 *
 * @throws DtmError TRANSACTION_CONFLICT when its handler has ended.
 */
export function nest(parent: Pick<Branch, "gid" | "branchId">, scope: NestedScope): void {
  const holder = holderOf(parent);
  if (holder === "ended") {
    const { gid, branchId } = parent;
    const message = `expected nested branches before the end of the handler of branch ${branchId} of ${gid}, found some after it`;
    throw new DtmError("TRANSACTION_CONFLICT", message);
  }
  holder?.add(scope);
}

function holderOf(parent: Pick<Branch, "gid" | "branchId">): Opened | undefined {
  const served = servedBranch();
  const isAround = served !== undefined && served.gid === parent.gid && served.branchId === parent.branchId;
  return opened.get(parent) ?? (isAround ? opened.get(served) : undefined);
}

/**
 * Has the call that `branch` stands for wait for a guarded local transaction, as {@link nest} does for nested branches. Its error is the call's
 * when it is still under way at the handler's end, or failed before without anybody awaiting it; else it is the handler's own affair.
 */
export function holdRun<T>(branch: Branch | undefined, run: () => Promise<T>): Promise<T> {
  const parent = branch ?? servedBranch();
  const holder = parent === undefined ? undefined : holderOf(parent);
  if (holder === undefined || holder === "ended") return run();
  const held = new HeldRun<T>((resolve) => resolve(run()));
  held.holdIn(holder);
  return held;
}

/** The promise of a guarded local transaction, which knows whether anybody awaits it. One that failed without is no unhandled rejection. */
class HeldRun<T> extends Promise<T> implements NestedScope {
  #end: Promise<{ readonly error: unknown } | null> = Promise.resolve(null);
  #hasFailed = false;
  #isAwaited = false;

  // What is derived from it is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise, and whoever awaits it comes by here.
  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true;
    return super.then(fulfilled, rejected);
  }

  holdIn(scopes: Set<NestedScope>): void {
    scopes.add(this);
    const succeeded = (): null => {
      scopes.delete(this);
      return null;
    };
    this.#end = super.then(succeeded, (error: unknown) => {
      this.#hasFailed = true;
      return { error };
    });
  }

  async settle(): Promise<{ readonly error: unknown } | null> {
    // Whoever awaited one that failed before the handler's end has decided what follows.
    return this.#hasFailed && this.#isAwaited ? null : this.#end;
  }
}
