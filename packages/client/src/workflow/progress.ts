/** What a workflow has done so far, as the coordinator keeps it: a finished step is replayed, never run again. */
import { type Coordinator, type EncodedPayload, reasonOf, type WorkflowState } from "@dtm/client-core/internal";
import { Failure } from "@dtm/protocol";
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
  readonly #finished: Map<string, Finished>;

  constructor(
    readonly coordinator: Coordinator,
    readonly gid: string,
    progresses: WorkflowState["progresses"],
  ) {
    this.#finished = new Map(progresses.map((step) => [`${step.branchId}-${step.op}`, step]));
  }

  has({ branchId, op }: StepKey): boolean {
    return this.#finished.has(`${branchId}-${op}`);
  }

  get isEmpty(): boolean {
    return this.#finished.size === 0;
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
    return this.#finished.get(`${branchId}-${op}`)?.data ?? null;
  }

  /**
   * The step's result: the recorded one, else that of `work`, recorded before it is returned. A refusal is recorded as well; any other
   * error isn't, and the step runs again when the workflow is resumed.
   *
   * @throws Failure when the step refused, now or before, with the recorded text; what `work` throws; what the registration throws.
   */
  async once(key: StepKey, work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const finished = this.#finished.get(`${key.branchId}-${key.op}`);
    if (finished !== undefined) {
      if (finished.status === "failed") throw refusalIn(finished.data);
      return finished.data;
    }
    let data: Uint8Array;
    try {
      data = await work();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // Cut like every reason: a text that is too long to be registered would leave the workflow open for ever.
      const reason = Buffer.from(reasonOf(error));
      await this.record(key, "failed", reason);
      throw refusalIn(reason, error);
    }
    const carried = this.#carried(data);
    await this.record(key, "succeed", carried);
    return carried;
  }

  /**
   * Phase 2 of a step: `work`, unless it is recorded as done. It can't be refused, so only its success is recorded; a refusal that another
   * client has left there isn't its end, and stays, since nothing can be written over it.
   *
   * @throws what `work` and the registration throw.
   */
  async finish(key: StepKey, work: () => Promise<void>): Promise<void> {
    const status = this.#finished.get(`${key.branchId}-${key.op}`)?.status;
    if (status === "succeed") return;
    await work();
    if (status === undefined) await this.record(key, "succeed", new Uint8Array());
  }

  /**
   * `sync`: a dtm that writes branches later (`UpdateBranchSync: 0`) loses what a step returned, or the step (protocol.md 9, Q8).
   *
   * Sent once: whether an unclear answer was a success is found out when the workflow is resumed.
   */
  async record({ branchId, op }: StepKey, status: "succeed" | "failed", data: Uint8Array): Promise<void> {
    const payload: EncodedPayload = this.coordinator.transport.name === "http" ? Buffer.from(data).toString("utf8") : data;
    const registration = { gid: this.gid, transType: "workflow" as const, branchId, payload, data: { op, status, sync: "1" } };
    await this.coordinator.registerBranch(registration, {});
    this.#finished.set(`${branchId}-${op}`, { branchId, op, status, data });
  }

  /** Over HTTP a result travels as text (protocol.md 9, Q35): the first run gets what a replay would get. */
  #carried(data: Uint8Array): Uint8Array {
    return this.coordinator.transport.name === "http" ? Buffer.from(Buffer.from(data).toString("utf8")) : data;
  }
}

/** The same in the first run as in a replay, which has nothing but the text. */
function refusalIn(reason: Uint8Array, cause?: Failure): Failure {
  return new Failure(Buffer.from(reason).toString("utf8"), cause === undefined ? {} : { cause });
}
