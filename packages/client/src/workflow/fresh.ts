/**
 * Whether a run of a workflow is the only one so far: then a step that refused was called this once, and has nothing to undo. After a crash, or
 * while another run is at work, an earlier call of the step may be on its way still, and is carried out after the refusal.
 */
import { randomBytes } from "node:crypto";
import type { Time } from "@dtm/client-core/internal";
import { markIn } from "./kept.js";

/** Who named the execution: nobody knows a new gid; a caller's may have been used before; what the coordinator resumes was begun before. */
export type Origin = "new" | "named" | "resumed";

const DEFAULT_INTERVAL_SECONDS = 10;
const MARK_BYTES = 9;

/** Stored with every workflow: a coordinator that called back earlier, by a setting of its own, would have runs overlap that can't know of it. */
export function intervalOf(given: number | undefined): number {
  return given === undefined || given === 0 ? DEFAULT_INTERVAL_SECONDS : given;
}

export class Freshness {
  /** Stored with a named workflow: whoever finds his own has begun it. A new gid needs none. */
  readonly mark: string | null;
  readonly #origin: Origin;
  readonly #time: Time;
  readonly #endsAt: number;

  /** Made before the workflow is stored, from when on the coordinator's interval runs. */
  constructor(origin: Origin, { time, intervalSeconds }: { readonly time: Time; readonly intervalSeconds: number }) {
    this.mark = origin === "named" ? randomBytes(MARK_BYTES).toString("base64url") : null;
    this.#origin = origin;
    this.#time = time;
    this.#endsAt = time.monotonic() + intervalSeconds * 1000;
  }

  /** `customData`: as it is stored; empty where nobody tells. */
  of(customData: string): () => boolean {
    const begunHere = this.#origin === "new" || (this.mark !== null && markIn(customData) === this.mark);
    // Later the coordinator has another process run it beside this one.
    return () => begunHere && this.#time.monotonic() < this.#endsAt;
  }
}
