/**
 * The branch call that the running code serves. Entry points (Express, gRPC, …) put it around the handler, barriers and nested
 * calls read it, so that nobody passes a gid by hand.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Branch, DtmError } from "@dtm/protocol";

/** What a {@link BranchCall} is made of. */
export interface BranchCallParts extends Branch {
  /** The coordinator's own address, when a client of ours or the coordinator sent it. */
  readonly coordinator?: string | undefined;
  /** XA only: where phase 2 is to be sent. */
  readonly phase2Url?: string | undefined;
}

/** One call of a branch: lives as long as its handler. A repeated delivery is another call. */
export class BranchCall implements Branch {
  readonly gid: string;
  readonly transType: string;
  readonly branchId: string;
  readonly op: string;
  declare readonly coordinator?: string;
  declare readonly phase2Url?: string;
  /** Places that guarded a local transaction during this call; see docs/decisions/barrier-ids.md. */
  readonly #guarded = new Set<string>();
  #ended = false;

  constructor(parts: BranchCallParts) {
    this.gid = parts.gid;
    this.transType = parts.transType;
    this.branchId = parts.branchId;
    this.op = parts.op;
    if (parts.coordinator !== undefined) this.coordinator = parts.coordinator;
    if (parts.phase2Url !== undefined) this.phase2Url = parts.phase2Url;
  }

  /** The handler's answer is on its way: nothing more is done in the call's name. */
  end(): void {
    this.#ended = true;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Remembers that a local transaction was guarded at `place` (a kind of database and a barrier id); true when one was before. */
  guard(place: string): boolean {
    const before = this.#guarded.has(place);
    this.#guarded.add(place);
    return before;
  }
}

const STORAGE = Symbol.for("dtm.branch-call");

/** One per process: an application can load the ES module and the CommonJS build, and both must see the same call. */
const storage: AsyncLocalStorage<BranchCall> = sharedStorage();

function sharedStorage(): AsyncLocalStorage<BranchCall> {
  const existing: unknown = Reflect.get(globalThis, STORAGE);
  if (existing instanceof AsyncLocalStorage) return existing;
  const created = new AsyncLocalStorage<BranchCall>();
  Reflect.set(globalThis, STORAGE, created);
  return created;
}

/** Runs `work` as the handler of `call`; everything it awaits sees it through {@link currentBranch}. */
export function runInBranch<T>(call: BranchCall, work: () => T): T {
  return storage.run(call, work);
}

/** The branch call that this code serves; undefined outside the handler of a branch. */
export function servedBranch(): BranchCall | undefined {
  return storage.getStore();
}

/**
 * The branch call that this code serves.
 *
 * @throws DtmError NOT_IN_BRANCH outside the handler of a branch, and after its end. A driver runs its callbacks as part of whatever call
 * opened the connection, which another call may be using by now.
 */
export function currentBranch(): BranchCall {
  const call = servedBranch();
  if (call?.ended === true) throw afterItsEnd(call);
  if (call === undefined) {
    throw new DtmError(
      "NOT_IN_BRANCH",
      "expected to be inside the handler of a branch, found no branch call: mount the framework's entry point " +
        "(@dtm/barrier/express, /fastify, /nest, /grpc) before the handler, or pass { branch }",
    );
  }
  return call;
}

function afterItsEnd({ gid, branchId }: BranchCall): DtmError {
  return new DtmError(
    "NOT_IN_BRANCH",
    `expected to be inside the handler of a branch, found branch ${branchId} of ${gid}, whose handler has ended: await what the handler begins; in ` +
      "a driver's callback, pass { branch }, taken by currentBranch() before the connection is asked for",
  );
}
