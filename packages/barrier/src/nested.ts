/**
 * What a handler begins in the name of its branch call and may leave under way: the nested branches of a client. They are registered with
 * the coordinator already, so whoever forgets to await one, or catches its error, would have a refusal confirmed. The call ends when they do,
 * and with their first error. Knows no client; one registers its scopes here.
 */
import { type Branch, DtmError } from "@dtm/protocol";
import { type BranchCall, runInBranch, servedBranch } from "./context.js";

/** The nested branches that one handler opened together. */
export interface NestedScope {
  /** Waits for what is under way, and refuses what comes later. The first error, also one that the handler has caught; null for none. */
  settle(): Promise<{ readonly error: unknown } | null>;
}

/** `ended`: the handler's answer is on its way, so nothing can be added to it. */
type Opened = Set<NestedScope> | "ended";

const OPENED = Symbol.for("dtm.nested-scopes");

/** One per process: an application can load the ES module and the CommonJS build, and a scope of either holds the same call back. */
function opened(): WeakMap<object, Opened> {
  const existing: unknown = Reflect.get(globalThis, OPENED);
  if (existing instanceof WeakMap) return existing;
  const created = new WeakMap<object, Opened>();
  Reflect.set(globalThis, OPENED, created);
  return created;
}

/**
 * Runs `work` as the handler of `call`, and waits for the nested branches that it opened.
 *
 * @throws What `work` throws; else the first error of a nested branch.
 */
export async function runAsBranch<T>(call: BranchCall, work: () => PromiseLike<T> | T): Promise<T> {
  const scopes = new Set<NestedScope>();
  opened().set(call, scopes);
  let failed: { readonly error: unknown } | null;
  let value: T;
  try {
    value = await runInBranch(call, async () => work());
  } finally {
    opened().set(call, "ended");
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
  const served = servedBranch();
  const around = served?.gid === parent.gid && served.branchId === parent.branchId ? opened().get(served) : undefined;
  const holder = opened().get(parent) ?? around;
  if (holder === "ended") {
    const { gid, branchId } = parent;
    const message = `expected nested branches before the end of the handler of branch ${branchId} of ${gid}, found some after it`;
    throw new DtmError("TRANSACTION_CONFLICT", message);
  }
  holder?.add(scope);
}
