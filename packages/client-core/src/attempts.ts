/** Whether an earlier call under the same gid may have been carried out: a gid that is used up may then be so by the caller itself. */
import type { ErrorCode } from "@dtm/protocol";
import { TransactionError } from "./errors.js";
import type { Begun } from "./unsent.js";

/** After these the coordinator may have acted; TRANSACTION_RUNNING says that it has. */
const MAY_HAVE_ACTED: ReadonlySet<ErrorCode> = new Set([
  "COORDINATOR_UNREACHABLE",
  "COORDINATOR_ERROR",
  "DEADLINE_EXCEEDED",
  "CLIENT_CLOSED",
  "TRANSACTION_RUNNING",
]);

/** The calls of one saga or message. */
export class Attempts {
  #mayHaveActed = false;

  get mayHaveActed(): boolean {
    return this.#mayHaveActed;
  }

  /** For a call that isn't made after one that may have been carried out. */
  begun(gid: string, what: string): Begun | undefined {
    return this.#mayHaveActed ? { gid, what, done: "an earlier call under this gid may have been carried out" } : undefined;
  }

  /** Sends, and remembers an outcome that leaves open what was done. */
  async make(send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      // What was given up before anything was sent is no TransactionError.
      if (error instanceof TransactionError && MAY_HAVE_ACTED.has(error.code)) this.#mayHaveActed = true;
      throw error;
    }
  }
}
