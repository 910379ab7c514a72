/** How long one execution may take: each request has the client's own clock, and ends with the caller's. */
import { type CallOptions, TransactionError } from "@dtm/client-core";
import { type Begun, type Coordinator, Deadline, onAbort } from "@dtm/client-core/internal";

/** The clock of one caller, who runs a workflow or waits for somebody else's run of it. */
export class Clock {
  readonly #coordinator: Coordinator;
  readonly #gid: string;
  readonly #call: CallOptions;
  readonly #deadline: Deadline | null;
  #begun: Begun | undefined;

  /** @throws DtmError OPTION_INVALID, CLIENT_CLOSED; DEADLINE_EXCEEDED when the caller has given up already. */
  constructor(coordinator: Coordinator, gid: string, call: CallOptions) {
    const { time } = coordinator.limits(call);
    const { timeoutMs, signal } = call;
    this.#coordinator = coordinator;
    this.#gid = gid;
    this.#call = call;
    this.#deadline = timeoutMs === undefined ? null : new Deadline({ timeoutMs, signal, time });
  }

  /** From now on the coordinator has the workflow resumed, whoever gives up: an error must not say that nothing was done. */
  stored(): void {
    const done = "the workflow is stored and stays open, and the coordinator has it resumed";
    this.#begun = { gid: this.#gid, what: "the next step", done };
  }

  /** The limits of what comes next. @throws DtmError DEADLINE_EXCEEDED when nothing is left, CLIENT_CLOSED. */
  limits(): CallOptions {
    const { signal } = this.#call;
    this.#coordinator.limits({}, this.#begun);
    this.check();
    const most = this.#coordinator.settings.timeoutMs;
    return { timeoutMs: Math.min(this.#deadline?.leftMs ?? most, most), signal };
  }

  /** @throws DtmError DEADLINE_EXCEEDED when the caller has ended it. */
  check(): void {
    if (!this.isOver) return;
    const { signal, timeoutMs } = this.#call;
    const why = signal?.aborted === true ? "was given up by its caller" : `took longer than its ${timeoutMs} ms`;
    const then = this.#begun === undefined ? " before it was run here" : `: ${this.#begun.done}`;
    throw new TransactionError("DEADLINE_EXCEEDED", `workflow ${this.#gid} ${why}${then}`, {
      gid: this.#gid,
      cause: signal?.reason,
    });
  }

  get isOver(): boolean {
    return this.#call.signal?.aborted === true || this.#deadline?.over === true;
  }

  /**
   * Waits for a run of somebody else's, which goes on when this caller gives up. Of real time only, as what joins a run is.
   *
   * @throws DtmError DEADLINE_EXCEEDED by this clock; what the run throws.
   */
  wait<T>(run: Promise<T>): Promise<T> {
    const { signal } = this.#call;
    return new Promise((resolve, reject) => {
      let stop = (): void => undefined;
      const end = (): void => {
        clearTimeout(timer);
        stop();
      };
      const giveUp = (): void => {
        end();
        const why = signal?.aborted === true ? "was given up by" : `took longer than the ${this.#call.timeoutMs} ms of`;
        const message = `workflow ${this.#gid} ${why} a caller who had joined its execution, which goes on`;
        reject(new TransactionError("DEADLINE_EXCEEDED", message, { gid: this.#gid, cause: signal?.reason }));
      };
      const timer = this.#deadline === null ? undefined : setTimeout(giveUp, this.#deadline.leftMs);
      stop = onAbort(signal, giveUp);
      run.then(resolve, reject).finally(end);
    });
  }
}
