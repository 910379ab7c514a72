/** The steps of one workflow, as its handler takes them. */
import { BranchCall, runAsBranch } from "@dtm/barrier/internal";
import { commitXa, prepareXa, rollbackXa, type XaDatabase } from "@dtm/barrier/xa";
import { type Address, BranchAnswer, type NoCompensation, type WithPayload } from "@dtm/client-core";
import {
  type AddressLike,
  BranchIds,
  checkCompensation,
  describe,
  type EncodedPayload,
  isNoCompensation,
  requireFunction,
  requireKnown,
  toJsonText,
  urlOf,
  withoutUserinfo,
} from "@dtm/client-core/internal";
import { type Branch, DtmError, Failure, Ongoing } from "@dtm/protocol";
import type { AsJson } from "./as-json.js";
import type { Clock } from "./clock.js";
import type { Progress } from "./progress.js";
import { StepPromise } from "./step-promise.js";

/** A saga-like step: done now, undone when the workflow fails. */
export type WorkflowSagaStep<Payload> = {
  readonly action: Address<Payload>;
  /** Called with the same payload when the workflow fails; `noCompensation()` when there is nothing to undo. */
  readonly compensate: Address<Payload> | NoCompensation;
} & WithPayload<Payload>;

/** A TCC-like step: tried now, confirmed or cancelled when the workflow has ended. */
export type WorkflowTccStep<Payload> = {
  readonly try: Address<Payload>;
  readonly confirm: Address<Payload>;
  readonly cancel: Address<Payload>;
} & WithPayload<Payload>;

/** What else belongs to a local step. */
export interface LocalStepOptions {
  /** Runs when the workflow fails, as op `rollback` of the step: a barrier in it finds its place. Default: nothing to undo. */
  readonly undo?: (() => unknown) | undefined;
  /** Runs when the workflow has succeeded, as op `commit` of the step. Default: nothing. */
  readonly commit?: (() => unknown) | undefined;
}

/** Settings of one workflow. */
export interface WorkflowSettings {
  /**
   * Whether a step that refused is undone like the others. Default: only when an earlier call of it may have been made, and may arrive after the
   * refusal: in a run that the coordinator or a second `execute` resumed, and from the coordinator's retry interval on, when other runs may be at
   * work. Such a step is undone also when the workflow succeeds without it. The refusal of a first call is trusted to have done nothing. `true`:
   * always when the workflow fails; `false`: never, as in dtm by default, which leaves a late call as it is. An undo that finds nothing to undo is
   * harmless behind a barrier, which then also keeps the late call out.
   */
  readonly compensateErrorBranch?: boolean | undefined;
}

const SAGA_STEP = { action: true, compensate: true, payload: true } satisfies Record<keyof WorkflowSagaStep<object>, true>;
const TCC_STEP = { try: true, confirm: true, cancel: true, payload: true } satisfies Record<keyof WorkflowTccStep<object>, true>;
const LOCAL = { undo: true, commit: true } satisfies Record<keyof LocalStepOptions, true>;

type Direction = "commit" | "rollback";

/** A step of this run. */
interface Taken {
  readonly promise: StepPromise<unknown>;
  /** Settles when the step has ended, well or not. */
  readonly ended: Promise<void>;
  pending: boolean;
  refusal: Failure | null;
}

/** What the steps say that the handler didn't: nothing can be decided, or one was refused and nobody noticed. */
type Settled =
  | { readonly kind: "open"; readonly error: unknown }
  | { readonly kind: "refused"; readonly refusal: Failure }
  | null;

interface Callback {
  /** With the operation that it is called as. */
  readonly branch: Branch;
  readonly work: (branch: Branch) => Promise<unknown>;
}

/**
 * What a workflow's handler gets. Each step has an id by its turn, so a handler that is run again must take the same steps in the same order:
 * what depends on the time, on chance or on anything that changes belongs into a step.
 *
 * After a step without a definite answer no further step is taken: whoever catches its error gets it again at the next one. Steps side by side
 * are taken in one turn, `Promise.all([wf.saga(a), wf.saga(b)])`; chains of awaited steps side by side aren't allowed, since which of them comes
 * next, and gets which id, would depend on how long the others take.
 */
export class Workflow {
  readonly gid: string;
  readonly name: string;
  /** What the workflow was started with, as it came. */
  readonly data: Uint8Array;
  readonly #progress: Progress;
  readonly #clock: Clock;
  readonly #fresh: () => boolean;
  readonly #settings: WorkflowSettings;
  readonly #ids = new BranchIds("");
  readonly #callbacks: Record<Direction, Callback[]> = { commit: [], rollback: [] };
  /** The first error that leaves a step open: the workflow can't be decided before it is resumed. */
  #open: { readonly error: unknown } | null = null;
  readonly #taken: Taken[] = [];
  #ended = false;

  /** @internal */
  constructor(parts: {
    readonly name: string;
    readonly data: Uint8Array;
    readonly progress: Progress;
    readonly clock: Clock;
    /** No other run can have called a step. */
    readonly fresh: () => boolean;
    readonly settings: WorkflowSettings;
  }) {
    this.gid = parts.progress.gid;
    this.name = parts.name;
    this.data = parts.data;
    this.#progress = parts.progress;
    this.#clock = parts.clock;
    this.#fresh = parts.fresh;
    this.#settings = parts.settings;
  }

  /**
   * Calls a branch, and its compensation if the workflow fails.
   *
   * @returns The branch's answer; on a replay the recorded one.
   * @throws Failure when the branch refused; Ongoing; DtmError BRANCH_UNKNOWN for no definite answer, STEP_INVALID, PAYLOAD_INVALID.
   */
  saga<Payload>(step: WorkflowSagaStep<Payload>): Promise<BranchAnswer> {
    return this.#step(async (branch) => {
      requireKnown(step, SAGA_STEP, { code: "STEP_INVALID", what: `step ${branch.branchId}` });
      checkCompensation(step.compensate, `step ${branch.branchId}`);
      const compensate = isNoCompensation(step.compensate) ? null : step.compensate;
      // Before the payload is encoded, which asks the addresses how.
      const action = this.#address(step.action, "action");
      const undo = compensate === null ? null : this.#address(compensate, "compensate");
      const payload = this.#encode(step.payload, [step.action, ...(compensate === null ? [] : [compensate])]);
      if (undo !== null) this.#on("rollback", branch, (call) => this.#call(call, undo, payload));
      return new BranchAnswer(branch.branchId, await this.#once(branch, () => this.#call(branch, action, payload)));
    });
  }

  /**
   * Calls a branch's try; its confirm when the workflow has succeeded, its cancel if it fails.
   *
   * @returns The answer to try. Throws as {@link Workflow.saga}.
   */
  tcc<Payload>(step: WorkflowTccStep<Payload>): Promise<BranchAnswer> {
    return this.#step(async (branch) => {
      requireKnown(step, TCC_STEP, { code: "STEP_INVALID", what: `step ${branch.branchId}` });
      const attempt = this.#address(step.try, "try");
      const confirm = this.#address(step.confirm, "confirm");
      const cancel = this.#address(step.cancel, "cancel");
      const payload = this.#encode(step.payload, [step.try, step.confirm, step.cancel]);
      this.#on("commit", branch, (call) => this.#call(call, confirm, payload));
      this.#on("rollback", branch, (call) => this.#call(call, cancel, payload));
      return new BranchAnswer(branch.branchId, await this.#once(branch, () => this.#call(branch, attempt, payload)));
    });
  }

  /**
   * Runs local work once and records what it returned. A crash between the two runs it again, so what it writes goes through `barrier.run`,
   * which needs no argument here.
   *
   * @returns What `work` returned, as JSON carries it ({@link AsJson}).
   * @throws What `work` throws. A refusal comes as the `Failure` that a replay gives, with the recorded text (cut to 1,023 characters), and
   * rolls the workflow back unless it is caught; what `work` threw, a subclass of `Failure` say, is its `cause`, in this run only. DtmError
   * PAYLOAD_INVALID for a result that JSON can't carry; STEP_INVALID.
   */
  local<T>(work: () => Promise<T> | T, options: LocalStepOptions = {}): Promise<AsJson<T>> {
    return this.#step(async (branch) => {
      const what = `local step ${branch.branchId}`;
      requireFunction(work, "STEP_INVALID", what);
      requireKnown(options, LOCAL, { code: "STEP_INVALID", what });
      const { undo, commit } = options;
      if (undo !== undefined) requireFunction(undo, "STEP_INVALID", `${what}: undo`);
      if (commit !== undefined) requireFunction(commit, "STEP_INVALID", `${what}: commit`);
      if (commit !== undefined) this.#on("commit", branch, (call) => inBranch(call, commit));
      if (undo !== undefined) this.#on("rollback", branch, (call) => inBranch(call, undo));
      const data = await this.#once(branch, async () => encodeResult(await inBranch(branch, work)));
      return decodeResult<AsJson<T>>(data);
    });
  }

  /**
   * Runs local work as an XA transaction of `database`: prepared now, committed or rolled back when the workflow has ended.
   *
   * @returns What `work` returned, as JSON carries it ({@link AsJson}).
   * @throws Failure also when an earlier run died between its work and its end: what it returned is lost, and it is rolled back.
   */
  xa<Connection, T>(database: XaDatabase<Connection>, work: (connection: Connection) => Promise<T> | T): Promise<AsJson<T>> {
    return this.#step(async (branch) => {
      requireXaDatabase(database, `XA step ${branch.branchId}: database`);
      requireFunction(work, "STEP_INVALID", `XA step ${branch.branchId}`);
      this.#on("commit", branch, (call) => commitXa(database, call));
      this.#on("rollback", branch, (call) => rollbackXa(database, call));
      const business = { branchId: branch.branchId, op: "business" };
      if (this.#progress.has(business) && !this.#progress.has(branch)) {
        // Its end was never recorded, so nobody else drops its commit.
        this.#clock.limits();
        await rollbackXa(database, { ...branch, op: "rollback" });
        this.#forget(branch);
        throw new Failure(`the XA step ${branch.branchId} died before it was prepared`);
      }
      let value: Uint8Array = new Uint8Array();
      const data = await this.#once(branch, async () => {
        const { ran } = await prepareXa(
          database,
          branch,
          async (connection) => {
            value = encodeResult(await work(connection));
          },
          async () => {
            const { isOwn } = await this.#progress.record(business, "succeed", new Uint8Array());
            if (!isOwn) throw this.#preparedElsewhere(branch);
          },
        );
        if (!ran) throw this.#preparedElsewhere(branch);
        return value;
      });
      return decodeResult<AsJson<T>>(data);
    });
  }

  /**
   * Confirms or undoes every step, the last one first.
   *
   * @internal
   * @throws The first error: the workflow is resumed later, and what was finished is skipped.
   */
  async end(direction: Direction): Promise<void> {
    for (const { branch, work } of this.#callbacks[direction].reverse()) {
      await this.#progress.finish(branch, async () => {
        this.#clock.limits();
        try {
          await work(branch);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          const message = `${branch.op} of step ${branch.branchId} of workflow ${this.gid} must succeed in the end, and it refused`;
          throw new DtmError("BRANCH_UNKNOWN", `${message}: ${error.message}`, { cause: error });
        }
      });
    }
  }

  /**
   * Waits for steps that the handler didn't wait for. One that is refused after the handler's return, or that nobody looked at, refuses the
   * whole: a success would say that it was done.
   *
   * @internal
   */
  async settle(): Promise<Settled> {
    this.#ended = true;
    const late = this.#taken.filter(({ pending }) => pending);
    await Promise.all(late.map(({ ended }) => ended));
    // Who waited for a late step may take another one now, which is an error and must be known.
    if (late.length > 0) await new Promise((resolve) => setImmediate(resolve));
    if (this.#open !== null) return { kind: "open", error: this.#open.error };
    for (const step of this.#taken) {
      const { promise, refusal } = step;
      if (refusal !== null && (late.includes(step) || !promise.observed)) return { kind: "refused", refusal };
    }
    return null;
  }

  #step<T>(take: (branch: Branch) => Promise<T>): Promise<T> {
    if (this.#ended) {
      const error = new DtmError("STEP_INVALID", `expected the steps of workflow ${this.gid} before its handler returns`);
      this.#open ??= { error };
      throw error;
    }
    // Another way through the handler than the one that a later run takes: its steps would get the ids of other ones.
    if (this.#open !== null) return inItsTurn(this.#open.error);
    const branchId = this.#ids.next();
    this.#progress.take(branchId);
    const work = take({ gid: this.gid, transType: "workflow", branchId, op: "action" });
    const promise = StepPromise.of(work);
    const ended = work.then(
      () => {
        taken.pending = false;
      },
      (error: unknown) => {
        taken.pending = false;
        if (error instanceof Failure) taken.refusal = error;
        else this.#open ??= { error };
      },
    );
    const taken: Taken = { promise, ended, pending: true, refusal: null };
    this.#taken.push(taken);
    return promise;
  }

  /** Another process is at this step, or was: what its work returned is known there, and recorded as nothing it would be lost. */
  #preparedElsewhere({ branchId }: Branch): Ongoing {
    const found = `the XA step ${branchId} of workflow ${this.gid} was prepared by another execution`;
    return new Ongoing(`${found}: ask for the outcome under the same gid, and don't begin it anew under another one`);
  }

  /** A step that refused is never confirmed, and takes its callbacks along. */
  async #once(branch: Branch, work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    try {
      return await this.#progress.once(branch, () => {
        this.#clock.limits();
        return work();
      });
    } catch (error) {
      if (error instanceof Failure) this.#refused(branch);
      throw error;
    }
  }

  #refused(branch: Branch): void {
    const mayArrive = this.#progress.isShared || !this.#fresh();
    const { compensateErrorBranch = mayArrive } = this.#settings;
    if (!compensateErrorBranch) return this.#forget(branch);
    const { commit, rollback } = this.#callbacks;
    // What may arrive late has no place in a success that came about without it, either.
    const undo = mayArrive ? rollback.filter((callback) => callback.branch.branchId === branch.branchId) : [];
    this.#callbacks.commit = [...without(branch, commit), ...undo];
  }

  #forget(branch: Branch): void {
    const { commit, rollback } = this.#callbacks;
    this.#callbacks.commit = without(branch, commit);
    this.#callbacks.rollback = without(branch, rollback);
  }

  #on(op: Direction, branch: Branch, work: (branch: Branch) => Promise<unknown>): void {
    this.#callbacks[op].push({ branch: { ...branch, op }, work });
  }

  #address(address: AddressLike, what: string): string {
    const url = urlOf(address, what);
    this.#progress.coordinator.transport.checkCallable(url, what);
    return url;
  }

  #encode(payload: unknown, addresses: readonly AddressLike[]): EncodedPayload {
    return this.#progress.coordinator.transport.encode(payload, addresses);
  }

  async #call(branch: Branch, url: string, payload: EncodedPayload): Promise<Uint8Array> {
    const { coordinator } = this.#progress;
    const limits = this.#clock.limits();
    const invocation = { ...branch, transType: "workflow" as const, url, payload, headers: {}, strict: true };
    const { outcome, body } = await coordinator.transport.callBranch(invocation, coordinator.limits(limits));
    const what = `${branch.op} of step ${branch.branchId} of workflow ${this.gid} at ${withoutUserinfo(url)}`;
    switch (outcome.kind) {
      case "success":
        return body;
      case "failure":
        throw new Failure(`${what} was refused: ${outcome.reason}`);
      case "ongoing":
        throw new Ongoing(`${what} isn't done: ${outcome.reason}`);
      case "unknown":
        // When the caller has ended it meanwhile, that is why.
        this.#clock.check();
        throw new DtmError("BRANCH_UNKNOWN", `${what} ended without a definite answer: ${outcome.message}`);
      default:
        return outcome satisfies never;
    }
  }
}

function without({ branchId }: Branch, callbacks: readonly Callback[]): Callback[] {
  return callbacks.filter(({ branch }) => branch.branchId !== branchId);
}

/** Not at once: a handler that tries a step again until it is done would stop the process. */
function inItsTurn(error: unknown): Promise<never> {
  return StepPromise.of(new Promise<never>((_, reject) => setImmediate(() => reject(error))));
}

/** A pool, which is what is given by mistake, has no `open`. */
function requireXaDatabase(database: unknown, what: string): void {
  if (typeof database === "object" && database !== null && "open" in database && typeof database.open === "function") return;
  const message = `${what}: expected what xaPostgres, xaMysql2 or xaMariadb made of a pool, found ${describe(database)}`;
  throw new DtmError("STEP_INVALID", message);
}

async function inBranch<T>(branch: Branch, work: () => Promise<T> | T): Promise<T> {
  return runAsBranch(new BranchCall(branch), work);
}

/** Nothing for undefined, JSON for the rest. */
export function encodeResult(value: unknown): Uint8Array {
  return value === undefined ? new Uint8Array() : Buffer.from(toJsonText(value));
}

/** @throws DtmError PAYLOAD_INVALID for what another language has recorded in a form of its own. */
export function decodeResult<T>(data: Uint8Array): T {
  if (data.length === 0) return undefined as T;
  const text = Buffer.from(data).toString("utf8");
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const message = `a result of a workflow: expected JSON, found ${JSON.stringify(text.slice(0, 100))}`;
    throw new DtmError("PAYLOAD_INVALID", message, { cause });
  }
}

/** The handler's input. dtm's workflows carry any bytes: what isn't JSON is given as it came. */
export function decodeInput(data: Uint8Array): unknown {
  try {
    return decodeResult<unknown>(data);
  } catch {
    return data;
  }
}
