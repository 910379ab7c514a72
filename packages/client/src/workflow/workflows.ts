/** The workflows of one service: registered by name, executed here, and resumed when the coordinator calls back (protocol.md 6.6). */
import { isDeepStrictEqual } from "node:util";
import { type Client, randomGid, TransactionError } from "@dtm/client-core";
import {
  type Coordinator,
  checkGid,
  coordinatorOf,
  describe,
  flag,
  isRealTime,
  reasonOf,
  requireFunction,
  requireKnown,
  requireText,
  type Transport,
  toWireOptions,
  type WorkflowState,
} from "@dtm/client-core/internal";
import { DtmError, Failure, Ongoing } from "@dtm/protocol";
import type { AsJson } from "./as-json.js";
import { Clock } from "./clock.js";
import { Freshness, intervalOf, type Origin } from "./fresh.js";
import { customDataOf, dataIn, encodeInput, NAME, nameIn, needsRow, RESULT, UNDONE } from "./kept.js";
import { Progress } from "./progress.js";
import { decodeInput, decodeResult, encodeResult, Workflow, type WorkflowSettings } from "./workflow.js";

/** What a workflow can be started with: JSON that a strict parser before the callback takes, so no text or number by itself. */
export type WorkflowInput = object | undefined;

/** A workflow's body. Its result is kept by the coordinator, and given to every later execution under the same gid. */
export type WorkflowHandler<Input, Output> = (workflow: Workflow, input: Input) => Promise<Output> | Output;

/** How one execution is begun. */
export interface ExecuteOptions {
  /**
   * How long it may take, in milliseconds. What isn't done then stays open, and is resumed when the coordinator calls back, without this
   * limit. Default: no limit; each request has the client's own.
   */
  readonly timeoutMs?: number | undefined;
  /** Ends it as `timeoutMs` does: the call under way at once, a local step when it has ended. Of who joined it only the wait is ended. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Names the execution: the same gid with the same input resumes it, joins it while this process is at it, or gives its result again. Who joins
   * keeps his own limits, and runs it himself when those of the other caller end it. Default: a new one.
   */
  readonly gid?: string | undefined;
  /** Base of the coordinator's interval of callbacks, in seconds. Default and 0: 10, whatever the coordinator's own setting. */
  readonly retryIntervalSeconds?: number | undefined;
}

/** A registered workflow; made by {@link Workflows.define}. */
export interface DefinedWorkflow<Input, Output> {
  readonly name: string;
  /**
   * Runs the workflow, or resumes it, and waits for its end.
   *
   * @param input - Given to the handler, also when another process resumes it. JSON.
   * @returns What the handler returned, as JSON carries it.
   * @throws DtmError DEADLINE_EXCEEDED by its limits, and CLIENT_CLOSED, which leave it open, with the `gid` of what is stored;
   * TRANSACTION_FAILED when it was rolled back; TRANSACTION_CONFLICT when the gid is another transaction's, or was begun with another input, and when
   * this run ended without a step that an earlier one has carried out, or otherwise than that had begun to end, which leave it open. Any other error
   * leaves it open too, and the coordinator calls back and has it resumed: TRANSACTION_RUNNING when what a step returned couldn't be recorded;
   * BRANCH_UNKNOWN also for the failure of another transaction that the handler passed on, which is its `cause`.
   */
  execute(input: Input, options?: ExecuteOptions): Promise<AsJson<Output>>;
}

/** Settings of {@link Workflows}. */
export interface WorkflowsOptions {
  /**
   * Where the coordinator calls back to have a workflow resumed: the URL that serves {@link workflowListener}, or for a gRPC client the
   * `host:port` of the server that has {@link workflowService}.
   */
  readonly callback: string;
}

const EXECUTE = { gid: true, timeoutMs: true, signal: true, retryIntervalSeconds: true } satisfies Record<
  keyof ExecuteOptions,
  true
>;

const OPTIONS = { callback: true } satisfies Record<keyof WorkflowsOptions, true>;
const SETTINGS = { compensateErrorBranch: true } satisfies Record<keyof WorkflowSettings, true>;

interface Execution extends ExecuteOptions {
  readonly origin: Origin;
}

interface Running {
  readonly name: string;
  readonly data: Uint8Array;
  readonly clock: Clock;
  readonly result: Promise<Uint8Array>;
}

interface Definition {
  readonly settings: WorkflowSettings;
  readonly handler: WorkflowHandler<unknown, unknown>;
}

/** How an execution ended that the coordinator asked for. */
type Resumed = { readonly status: "succeed" } | { readonly status: "failed"; readonly reason: string };

const GRPC_METHOD = "/workflow.Workflow/Execute";

/**
 * ```ts
 * const workflows = new Workflows(client, { callback: "http://app:3000/workflows" });
 * const order = workflows.define("order", async (wf, input: { amount: number }) => {
 *   await wf.saga({ action: debit, compensate: debitUndo, payload: { amount: input.amount } });
 *   await wf.tcc({ try: reserve, confirm, cancel, payload: { seats: 1 } });
 *   return { done: true };
 * });
 * app.all("/workflows", workflowListener(workflows));
 * const result = await order.execute({ amount: 30 });
 * ```
 */
export class Workflows {
  readonly #coordinator: Coordinator;
  readonly #callback: string;
  readonly #definitions = new Map<string, Definition>();
  /** By gid: a workflow that takes longer than the coordinator's interval is called back while it is still at work. */
  readonly #running = new Map<string, Running>();

  /** @throws DtmError OPTION_INVALID for a callback that the client's coordinator can't call. */
  constructor(client: Client, options: WorkflowsOptions) {
    requireKnown(options, OPTIONS, { what: "options" });
    const { callback } = options;
    requireText(callback, "OPTION_INVALID", "callback");
    this.#coordinator = coordinatorOf(client);
    this.#callback = this.#callbackOf(callback);
  }

  /**
   * Registers a workflow. Every service that may be called back needs the same ones under the same names.
   *
   * @throws DtmError OPTION_INVALID when the name is taken, or for a setting that can't be used.
   */
  define<Input extends WorkflowInput, Output>(
    name: string,
    handler: WorkflowHandler<Input, Output>,
    settings: WorkflowSettings = {},
  ): DefinedWorkflow<Input, Output> {
    requireFunction(handler, "OPTION_INVALID", `handler of workflow ${describe(name)}`);
    requireKnown(settings, SETTINGS, { what: `settings of workflow ${describe(name)}` });
    flag("compensateErrorBranch", settings.compensateErrorBranch);
    if (typeof name !== "string" || name === "" || this.#definitions.has(name)) {
      throw new DtmError("OPTION_INVALID", `a workflow needs a name of its own, found ${describe(name)}`);
    }
    this.#definitions.set(name, { handler: handler as WorkflowHandler<unknown, unknown>, settings });
    return {
      name,
      execute: async (input, options = {}) => {
        requireKnown(options, EXECUTE, { what: "options" });
        const data = encodeInput(input);
        return decodeResult<AsJson<Output>>(
          await this.#execute(name, data, { ...options, origin: options.gid === undefined ? "new" : "named" }),
        );
      },
    };
  }

  /**
   * Resumes a workflow that the coordinator asks for.
   *
   * @throws Ongoing when this process is executing it already; DtmError WORKFLOW_UNKNOWN, and everything that leaves it open.
   */
  async resume(name: string, gid: string, data: Uint8Array): Promise<Resumed> {
    if (this.#running.has(gid)) throw new Ongoing(`workflow ${gid} is being executed by this process`);
    try {
      // The coordinator has the name from the workflow itself.
      await this.#execute(name, data, { gid, origin: "resumed" });
      return { status: "succeed" };
    } catch (error) {
      if (error instanceof TransactionError && error.code === "TRANSACTION_FAILED") {
        return { status: "failed", reason: error.rollbackReason ?? error.message };
      }
      throw error;
    }
  }

  async #execute(name: string, data: Uint8Array, options: Execution): Promise<Uint8Array> {
    const gid = options.gid === undefined ? randomGid() : checkGid(options.gid);
    const clock = new Clock(this.#coordinator, gid, { timeoutMs: options.timeoutMs, signal: options.signal });
    const run = (): Promise<Uint8Array> => this.#run(name, data, { ...options, gid }, clock);
    // In the test kit processes die and leave this memory behind: what runs there is asked of the coordinator alone.
    if (!isRealTime(this.#coordinator.settings.time)) return run();
    for (let running = this.#running.get(gid); running !== undefined; running = this.#running.get(gid)) {
      if (running.name !== name) throw conflict(gid, `workflow ${running.name} is being executed under it`);
      requireInput(running.data, data, gid);
      try {
        return await clock.wait(running.result);
      } catch (error) {
        // The other caller's limits are none of this one's: it is run, or joined, again.
        const byTheOther = error instanceof DtmError && error.code === "DEADLINE_EXCEEDED" && running.clock.isOver;
        if (!byTheOther || clock.isOver) throw error;
      }
    }
    // Forgotten before anybody hears of its end, so whoever runs it again then doesn't find this one.
    const result = run().finally(() => this.#running.delete(gid));
    this.#running.set(gid, { name, data, clock, result });
    return result;
  }

  async #run(name: string, data: Uint8Array, options: Execution & { readonly gid: string }, clock: Clock): Promise<Uint8Array> {
    try {
      return await this.#decide(name, data, options, clock);
    } catch (error) {
      throw ownError(error, options.gid);
    }
  }

  async #decide(
    name: string,
    data: Uint8Array,
    options: Execution & { readonly gid: string },
    clock: Clock,
  ): Promise<Uint8Array> {
    const definition = this.#definitions.get(name);
    if (definition === undefined) {
      const known = [...this.#definitions.keys()].join(", ") || "none";
      throw new DtmError("WORKFLOW_UNKNOWN", `expected one of the workflows ${known}, found ${describe(name)}`);
    }
    const { gid, origin } = options;
    const { time } = this.#coordinator.settings;
    const freshness = new Freshness(origin, { time, intervalSeconds: intervalOf(options.retryIntervalSeconds) });
    const customData = customDataOf(name, data, freshness.mark);
    const state = await this.#prepare(gid, customData, options, clock);
    if (state.status === "prepared") clock.stored();
    // The coordinator has both from the workflow itself.
    const asked: Asked = { gid, name, data: origin === "named" ? data : null };
    requireOurs(state, asked);
    const progress = new Progress(this.#coordinator, { ...state, gid }, () => this.#prepare(gid, customData, options, clock));
    const untold = origin === "named" && this.#coordinator.transport.name !== "http";
    const stored = untold ? await this.#requireUntold(asked, state, progress, clock) : state.customData;
    if (state.status !== "prepared") return this.#endIn(state, progress, clock);
    const workflow = new Workflow({
      name,
      data,
      progress,
      clock,
      fresh: freshness.of(stored),
      settings: definition.settings,
    });
    try {
      return await this.#carryOut(definition.handler, workflow, progress);
    } catch (error) {
      // Another run was faster: how the workflow ended counts, not what this run has met.
      if (progress.endedBeside === null) throw error;
      return this.#endIn(progress.endedBeside, progress, clock);
    }
  }

  /** @throws TransactionError TRANSACTION_FAILED when it was rolled back, TRANSACTION_CONFLICT when it hasn't ended as workflows do. */
  async #endIn(state: WorkflowState, progress: Progress, clock: Clock): Promise<Uint8Array> {
    const { gid } = progress;
    if (state.status === "succeed") return progress.dataOf(RESULT) ?? this.#resultIn(state, clock);
    if (state.status === "failed") throw failed(gid, state.rollbackReason);
    throw conflict(gid, `its status is ${describe(state.status)}, which no workflow has`);
  }

  async #carryOut(handler: Definition["handler"], workflow: Workflow, progress: Progress): Promise<Uint8Array> {
    const { gid } = progress;
    const ended = await run(handler, workflow);
    const settled = await workflow.settle();
    // A step whose outcome nobody knows: what the handler made of it doesn't decide anything.
    if (settled?.kind === "open") throw settled.error;
    if (!ended.ok && !(ended.error instanceof Failure)) throw ended.error;
    const refusal = this.#refusalIn(ended, settled?.refusal, progress);
    const direction = refusal === null ? "commit" : "rollback";
    requireSameSteps(progress, direction);
    requireSameDirection(progress, direction);
    if (refusal === null && ended.ok) {
      const result = encodeResult(ended.value);
      if (needsRow(result, gid)) {
        const kept = await progress.once(RESULT, async () => result);
        await workflow.end("commit");
        await this.#submit(gid, { status: "succeed", rollbackReason: "", result: new Uint8Array() });
        return kept;
      }
      await workflow.end("commit");
      await this.#submit(gid, { status: "succeed", rollbackReason: "", result });
      return result;
    }
    const reason = refusal === null ? "" : reasonOf(refusal);
    // A later run, in which something comes in time or answers otherwise, must not decide otherwise.
    if (!progress.has(UNDONE)) await progress.record(UNDONE, "succeed", Buffer.from(reason));
    await workflow.end("rollback");
    await this.#submit(gid, { status: "failed", rollbackReason: reason, result: new Uint8Array() });
    throw failed(gid, reason, refusal);
  }

  /**
   * A gid that the caller chose may be another workflow's, or its own with another input, and the gRPC answer doesn't tell (protocol.md 9, Q4): what
   * is stored is asked for, or, where there is no way to ask, kept in a row of our own.
   *
   * @returns What is stored with the workflow; empty where there is no way to ask.
   */
  async #requireUntold(asked: Asked, { status }: WorkflowState, progress: Progress, clock: Clock): Promise<string> {
    if (canQuery(this.#coordinator.transport)) {
      const found = await this.#coordinator.query(asked.gid, clock.limits());
      if (found === null) return "";
      requireOurs(found, asked);
      return found.customData;
    }
    if (status === "prepared" && progress.isEmpty) {
      const own = customDataOf(asked.name, asked.data ?? new Uint8Array(), null);
      await progress.record(NAME, "succeed", Buffer.from(own));
    }
    const kept = progress.dataOf(NAME);
    if (kept !== null) requireOurs({ transType: "", customData: Buffer.from(kept).toString("utf8") }, asked);
    return "";
  }

  /** dtm's gRPC answer leaves the result out (protocol.md 9, Q4), so an empty one is asked for where there is a way. */
  async #resultIn({ gid, result }: WorkflowState, clock: Clock): Promise<Uint8Array> {
    const { transport } = this.#coordinator;
    if (result !== "" || transport.name === "http" || !canQuery(transport)) return Buffer.from(result, "base64");
    const found = await this.#coordinator.query(gid, clock.limits());
    if (found !== null && found.transType !== "workflow") throw conflict(gid, `it is a ${found.transType}'s`);
    return Buffer.from(found?.result ?? "", "base64");
  }

  /** Why the workflow is to be undone, or null: what an earlier run has decided, what the handler says, what nobody waited for. */
  #refusalIn(ended: HandlerEnd, unnoticed: Failure | undefined, progress: Progress): Failure | null {
    const decided = progress.dataOf(UNDONE);
    if (decided !== null) return new Failure(Buffer.from(decided).toString("utf8"));
    if (!ended.ok) return ended.error instanceof Failure ? ended.error : null;
    return unnoticed ?? null;
  }

  #prepare(gid: string, customData: string, { retryIntervalSeconds }: ExecuteOptions, clock: Clock): Promise<WorkflowState> {
    const request = {
      gid,
      transType: "workflow" as const,
      options: toWireOptions({ retryIntervalSeconds: intervalOf(retryIntervalSeconds) }),
      queryPrepared: this.#callback,
      customData,
    };
    return this.#coordinator.prepareWorkflow(request, clock.limits());
  }

  #submit(
    gid: string,
    end: { readonly status: "succeed" | "failed"; readonly rollbackReason: string; readonly result: Uint8Array },
  ) {
    const extra = {
      status: end.status,
      rollback_reason: end.rollbackReason,
      result: Buffer.from(end.result).toString("base64"),
    };
    const request = { gid, transType: "workflow" as const, options: toWireOptions({}), extra };
    return this.#coordinator.finishWorkflow(request, end.status);
  }

  #callbackOf(callback: string): string {
    const { transport } = this.#coordinator;
    if (transport.name === "grpc" && /^https?:/i.test(callback)) {
      throw new DtmError("OPTION_INVALID", `callback: expected the host:port of a gRPC server, found ${describe(callback)}`);
    }
    const url = transport.name === "grpc" && !callback.includes("/") ? `${callback}${GRPC_METHOD}` : callback;
    try {
      transport.checkAddress(url, "callback");
    } catch (cause) {
      throw new DtmError("OPTION_INVALID", cause instanceof Error ? cause.message : String(cause), { cause });
    }
    return url;
  }
}

function canQuery(transport: Transport): boolean {
  try {
    transport.requireQuery();
    return true;
  } catch {
    return false;
  }
}

/** The failure of another transaction, a nested saga's say, decides nothing about the workflow: nothing was undone. */
function ownError(error: unknown, gid: string): unknown {
  // By its code, since another copy of the package may have made it.
  if (!(error instanceof DtmError) || error.code !== "TRANSACTION_FAILED") return error;
  const other = "gid" in error ? error.gid : "another transaction";
  if (other === gid) return error;
  const message =
    `workflow ${gid} stays open, since its handler, or the end of a step, passed on the failure of ${other}; ` +
    `throwing Failure in its place rolls it back: ${error.message}`;
  return new DtmError("BRANCH_UNKNOWN", message, { cause: error });
}

type HandlerEnd = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

async function run(handler: Definition["handler"], workflow: Workflow): Promise<HandlerEnd> {
  try {
    return { ok: true, value: await handler(workflow, decodeInput(workflow.data)) };
  } catch (error) {
    return { ok: false, error };
  }
}

/** What the workflow under the gid has to be; `data` is null where the coordinator itself brings the input. */
interface Asked {
  readonly gid: string;
  readonly name: string;
  readonly data: Uint8Array | null;
}

/** As far as the answer tells: over gRPC it has neither the type nor what is kept with it. */
function requireOurs(
  { transType, customData }: Pick<WorkflowState, "transType" | "customData">,
  { gid, name, data }: Asked,
): void {
  if (transType !== "" && transType !== "workflow") throw conflict(gid, `it is a ${transType}'s`);
  const storedName = nameIn(customData);
  if (storedName !== null && storedName !== name) throw conflict(gid, `it is workflow ${storedName}'s`);
  const storedData = dataIn(customData);
  if (storedName !== null && storedData !== null && data !== null) requireInput(storedData, data, gid);
}

/** By what the JSON says, since a client in another language may write the same differently. */
function requireInput(stored: Uint8Array, data: Uint8Array, gid: string): void {
  if (isDeepStrictEqual(decodeInput(stored), decodeInput(data))) return;
  throw conflict(gid, "it was begun with another input, and its steps may have been carried out with that");
}

/** What an earlier run has carried out, and this one didn't come to, would be neither confirmed nor undone, and nobody would hear of it. */
function requireSameSteps(progress: Progress, direction: "commit" | "rollback"): void {
  const missed = progress.missed(direction);
  if (missed === null) return;
  const message =
    `a handler must take the same steps at every run: expected workflow ${progress.gid} to take step ${missed.branchId}, which an earlier run has ` +
    "carried out, found that this run ended without it: it stays open, and goes on once the handler takes that step again. What the handler's way " +
    "depends on (time, chance, a check of something that the steps change) belongs into a step of its own, wf.local, whose answer is kept";
  throw new TransactionError("TRANSACTION_CONFLICT", message, { gid: progress.gid });
}

/** Phase 2 has begun: whichever way it went, half of it can't be undone, nor the other half be done. */
function requireSameDirection(progress: Progress, direction: "commit" | "rollback"): void {
  const begun = progress.begun(direction === "commit" ? "rollback" : "commit");
  if (begun === null) return;
  const message =
    `a handler must decide alike at every run: expected workflow ${progress.gid} to go on with the ${begun.op} that has begun with step ` +
    `${begun.branchId}, found that this run asks for ${direction}: it stays open`;
  throw new TransactionError("TRANSACTION_CONFLICT", message, { gid: progress.gid });
}

function conflict(gid: string, found: string): TransactionError {
  return new TransactionError("TRANSACTION_CONFLICT", `the gid ${gid} can't be used for this workflow: ${found}`, { gid });
}

function failed(gid: string, reason: string, cause?: unknown): TransactionError {
  const message = `workflow ${gid} was rolled back: ${reason}`;
  return new TransactionError("TRANSACTION_FAILED", message, { gid, status: "failed", rollbackReason: reason, cause });
}
