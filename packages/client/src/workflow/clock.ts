/** How long one execution may take: each request has the client's own clock, and ends with the caller's. */
import type { CallOptions } from "@dtm/client-core";
import { type Coordinator, Deadline } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";

/** The clock of one caller, who runs a workflow or waits for somebody else's run of it. */
export class Clock {
  readonly #coordinator: Coordinator;
  readonly #call: CallOptions;
  readonly #deadline: Deadline | null;

  /** @throws DtmError OPTION_INVALID, CLIENT_CLOSED; DEADLINE_EXCEEDED when the caller has given up already. */
  constructor(coordinator: Coordinator, call: CallOptions) {
    const { time } = coordinator.limits(call);
    const { timeoutMs, signal } = call;
    this.#coordinator = coordinator;
    this.#call = call;
    this.#deadline = timeoutMs === undefined ? null : new Deadline({ timeoutMs, signal, time });
  }

  /** The limits of what comes next. @throws DtmError DEADLINE_EXCEEDED when nothing is left. */
  limits(): CallOptions {
    const { signal } = this.#call;
    const most = this.#coordinator.settings.timeoutMs;
    const left = this.#deadline?.leftMs ?? most;
    if (!this.isOver) return { timeoutMs: Math.min(left, most), signal };
    const why = signal?.aborted === true ? "was given up by its caller" : `took longer than its ${this.#call.timeoutMs} ms`;
    throw new DtmError("DEADLINE_EXCEEDED", `the workflow ${why}: it stays open, and is resumed later`, {
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
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = (): void => {
        end();
        const why = signal?.aborted === true ? "was given up by" : `took longer than the ${this.#call.timeoutMs} ms of`;
        const message = `the workflow ${why} a caller who had joined its execution, which goes on`;
        reject(new DtmError("DEADLINE_EXCEEDED", message, { cause: signal?.reason }));
      };
      const timer = this.#deadline === null ? undefined : setTimeout(giveUp, this.#deadline.leftMs);
      signal?.addEventListener("abort", giveUp, { once: true });
      run.then(resolve, reject).finally(end);
    });
  }
}
