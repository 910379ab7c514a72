/** How long one execution may take: each request has the client's own clock, and ends with the caller's. */
import type { CallOptions } from "@dtm/client-core";
import { type Coordinator, Deadline } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";

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
    if (signal?.aborted !== true && left > 0) return { timeoutMs: Math.min(left, most), signal };
    const why = signal?.aborted === true ? "was given up by its caller" : `took longer than its ${this.#call.timeoutMs} ms`;
    throw new DtmError("DEADLINE_EXCEEDED", `the workflow ${why}: it stays open, and is resumed later`, {
      cause: signal?.reason,
    });
  }
}
