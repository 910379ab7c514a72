/** Waiting for a transaction's end by asking for it. */
import { DtmError, type GlobalStatus } from "@dtm/protocol";
import { type Coordinator, LEAST_TRY_MS } from "./coordinator.js";
import { Deadline } from "./deadline.js";
import { TransactionError } from "./errors.js";
import { checkGid } from "./gid.js";
import type { CallOptions } from "./options.js";
import type { TransactionState } from "./transport.js";

const DEFAULT_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

export async function waitForEnd(coordinator: Coordinator, gid: string, options: CallOptions): Promise<TransactionState> {
  checkGid(gid);
  const deadline = new Deadline({ ...coordinator.limits(options), timeoutMs: options.timeoutMs ?? DEFAULT_WAIT_MS });
  const found = new Found();
  // However short the time is, it is asked once.
  let pauseMs = FIRST_PAUSE_MS;
  do {
    try {
      const state = await coordinator.query(gid, deadline.share(1));
      if (state === null) throw new TransactionError("TRANSACTION_UNKNOWN", `expected a transaction ${gid}, found none`, { gid });
      if (state.status === "succeed" || state.status === "failed") return state;
      found.note(state.status);
    } catch (error) {
      if (codeOf(error) === "CLIENT_CLOSED") throw closedMeanwhile(gid, found, error);
      if (!TEMPORARY.has(codeOf(error))) throw error;
      found.missed(error);
    }
    await deadline.pause(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  } while (deadline.leftMs >= LEAST_TRY_MS);
  throw notEnded(gid, found, deadline);
}

/** A coordinator that restarts meanwhile is waited for; what it refuses won't get better. */
const TEMPORARY: ReadonlySet<string> = new Set(["COORDINATOR_UNREACHABLE", "COORDINATOR_ERROR", "DEADLINE_EXCEEDED"]);

function codeOf(error: unknown): string {
  return error instanceof DtmError ? error.code : "";
}

/** What the queries of one wait have told so far. */
class Found {
  status: GlobalStatus | undefined;
  /** Of the last query that wasn't answered; gone when a later one was. */
  error: unknown;

  note(status: GlobalStatus): void {
    this.status = status;
    this.error = undefined;
  }

  /** The last query's time is up by chance sooner or later, which tells less than what an earlier one has met. */
  missed(error: unknown): void {
    if (this.error === undefined || codeOf(error) !== "DEADLINE_EXCEEDED") this.error = error;
  }

  toString(): string {
    if (this.status !== undefined) return `'${this.status}'`;
    return this.error instanceof Error ? `no answer (${this.error.message})` : "no answer";
  }
}

function notEnded(gid: string, found: Found, deadline: Deadline): TransactionError {
  const when = deadline.aborted ? "when its caller gave up" : `when the ${deadline.totalMs} ms were up`;
  return new TransactionError("DEADLINE_EXCEEDED", `waited for the end of ${gid}, found ${found} ${when}`, {
    gid,
    status: found.status,
    cause: deadline.aborted ? deadline.reason : found.error,
  });
}

function closedMeanwhile(gid: string, found: Found, cause: unknown): TransactionError {
  const message = `waited for the end of ${gid}, found ${found} when the client was closed: the coordinator goes on with it`;
  return new TransactionError("CLIENT_CLOSED", message, { gid, status: found.status, cause });
}
