/** What a workflow has done so far, as the coordinator keeps it: a finished step is replayed, never run again. */
import { TransactionError } from "@dtm/client-core";
import { type Coordinator, type EncodedPayload, reasonOf, type WorkflowState } from "@dtm/client-core/internal";
import { DtmError, Failure, isGlobalStatus } from "@dtm/protocol";
import { UNDONE } from "./kept.js";

export interface StepKey {
  readonly branchId: string;
  readonly op: string;
}

interface Finished extends StepKey {
  readonly status: string;
  readonly data: Uint8Array;
}

export class Progress {
  readonly gid: string;
  readonly #finished = new Map<string, Finished>();
  readonly #taken = new Set<string>();
  readonly #ask: () => Promise<WorkflowState>;
  #endedBeside: WorkflowState | null = null;
  #isShared = false;

  /** `ask`: what is stored by now. */
  constructor(
    readonly coordinator: Coordinator,
    { gid, progresses }: WorkflowState,
    ask: () => Promise<WorkflowState>,
  ) {
    this.gid = gid;
    this.#ask = ask;
    this.#know(progresses);
  }

  /** Another run has written something while this one was at work: it may have called the same steps. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** How another run has ended the workflow while this one was at work; null while none has been found to. */
  get endedBeside(): WorkflowState | null {
    return this.#endedBeside;
  }

  has({ branchId, op }: StepKey): boolean {
    return this.#finished.has(textOf({ branchId, op }));
  }

  get isEmpty(): boolean {
    return this.#finished.size === 0;
  }

  /** This run has come to the step. */
  take(branchId: string): void {
    this.#taken.add(branchId);
  }

  /**
   * A step that is recorded as carried out, or as begun where it is XA, that this run hasn't come to, and whose end in this direction isn't
   * recorded: nothing of this run's would end it. Null when there is none.
   */
  missed(direction: "commit" | "rollback"): StepKey | null {
    for (const { branchId, op, status } of this.#finished.values()) {
      const wasDone = (op === "action" || op === "business") && status === "succeed";
      const hasEnded = this.#finished.get(textOf({ branchId, op: direction }))?.status === "succeed";
      if (wasDone && !hasEnded && !this.#taken.has(branchId)) return { branchId, op };
    }
    return null;
  }

  /**
   * A step whose phase 2 is recorded as done in this direction; null when none is. The decision itself, with the id 00, is no step, and the undo of
   * one that refused belongs to both directions.
   */
  begun(direction: "commit" | "rollback"): StepKey | null {
    for (const { branchId, op, status } of this.#finished.values()) {
      const refused = this.#finished.get(`${branchId}-action`)?.status === "failed";
      if (op === direction && branchId !== UNDONE.branchId && status === "succeed" && !refused) return { branchId, op };
    }
    return null;
  }

  /** What is recorded under the key; null when nothing is. */
  dataOf({ branchId, op }: StepKey): Uint8Array | null {
    return this.#finished.get(textOf({ branchId, op }))?.data ?? null;
  }

  /**
   * The step's result: the recorded one, else that of `work`, recorded before it is returned. A refusal is recorded as well; any other
   * error isn't, and the step runs again when the workflow is resumed. Where another run has recorded the step meanwhile, its word counts.
   *
   * @throws Failure when the step refused, now or before, with the recorded text; what `work` throws; what {@link Progress.record} throws.
   */
  async once(key: StepKey, work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const finished = this.#finished.get(textOf(key));
    if (finished !== undefined) return resultOf(finished);
    let data: Uint8Array;
    try {
      data = await work();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Cut like every reason: a text that is too long to be registered would leave the workflow open for ever.
      const { kept } = await this.record(key, "failed", Buffer.from(reasonOf(error)));
      return resultOf(kept, error);
    }
    const { kept } = await this.record(key, "succeed", this.#carried(data));
    return resultOf(kept);
  }

  /**
   * Phase 2 of a step: `work`, unless it is recorded as done. It can't be refused, so only its success is recorded; a refusal that another
   * client has left there isn't its end, and stays, since nothing can be written over it.
   *
   * @throws what `work` and the registration throw.
   */
  async finish(key: StepKey, work: () => Promise<void>): Promise<void> {
    const status = this.#finished.get(textOf(key))?.status;
    if (status === "succeed") return;
    await work();
    if (status === undefined) await this.record(key, "succeed", new Uint8Array());
  }

  /**
   * `sync`: a dtm that writes branches later (`UpdateBranchSync: 0`) loses what a step returned, or the step (protocol.md 9, Q8).
   *
   * Sent once: whether an unanswered one was a success is found out when the workflow is resumed. A refusal is mostly another run's doing, so what
   * is stored is asked for.
   *
   * @returns What is kept under the key, and whether this run has written it, or another one before.
   * @throws TransactionError TRANSACTION_CONFLICT when another run has ended the workflow, which {@link Progress.endedBeside} tells from then on;
   * TRANSACTION_RUNNING when it is open and holds no such row; what the registration and the asking throw.
   */
  async record(
    { branchId, op }: StepKey,
    status: "succeed" | "failed",
    data: Uint8Array,
  ): Promise<{ readonly kept: Finished; readonly isOwn: boolean }> {
    const payload: EncodedPayload = this.coordinator.transport.name === "http" ? Buffer.from(data).toString("utf8") : data;
    const registration = { gid: this.gid, transType: "workflow" as const, branchId, payload, data: { op, status, sync: "1" } };
    try {
      await this.coordinator.registerBranch(registration, {});
    } catch (error) {
      if (!(error instanceof DtmError) || !ANSWERED.has(error.code)) throw error;
      return { kept: await this.#storedInstead({ branchId, op }, error), isOwn: false };
    }
    const kept = { branchId, op, status, data };
    this.#know([kept]);
    return { kept, isOwn: true };
  }

  async #storedInstead({ branchId, op }: StepKey, cause: DtmError): Promise<Finished> {
    const { gid } = this;
    const stored = await this.#ask();
    this.#know(stored.progresses);
    const what = `${op} of step ${branchId} of workflow ${gid} couldn't be recorded`;
    if (stored.status !== "prepared") {
      this.#endedBeside = stored;
      const status = isGlobalStatus(stored.status) ? stored.status : undefined;
      const message = `${what}, since another run has ended the workflow: it is '${stored.status}'`;
      throw new TransactionError("TRANSACTION_CONFLICT", message, { gid, status, cause });
    }
    const kept = this.#finished.get(textOf({ branchId, op }));
    if (kept === undefined) {
      const message =
        `${what}: ${cause.message}. The workflow stays open, and this process or another goes on with it: ` +
        "ask for its outcome under the same gid, and don't begin it anew under another one";
      throw new TransactionError("TRANSACTION_RUNNING", message, { gid, status: "prepared", cause });
    }
    this.#isShared = true;
    return kept;
  }

  #know(steps: readonly Finished[]): void {
    for (const step of steps) this.#finished.set(textOf(step), step);
  }

  /** Over HTTP a result travels as text (protocol.md 9, Q35): the first run gets what a replay would get. */
  #carried(data: Uint8Array): Uint8Array {
    return this.coordinator.transport.name === "http" ? Buffer.from(Buffer.from(data).toString("utf8")) : data;
  }
}

/** The codes of a registration that the coordinator has answered: dtm on SQL answers a second row with an error of its own (protocol.md 1.9). */
const ANSWERED: ReadonlySet<string> = new Set(["COORDINATOR_REFUSED", "COORDINATOR_ERROR", "TRANSACTION_CONFLICT"]);

function textOf({ branchId, op }: StepKey): string {
  return `${branchId}-${op}`;
}

/** @throws Failure for a refusal: the same in the first run as in a replay, which has nothing but the text. */
function resultOf({ status, data }: Finished, cause?: Failure): Uint8Array {
  if (status !== "failed") return data;
  throw new Failure(Buffer.from(data).toString("utf8"), cause === undefined ? {} : { cause });
}
