/** Waiting for a transaction's end by asking for it. */
import { DtmError } from "@dtm/protocol";
import type { Coordinator } from "./coordinator.js";
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
  let last: unknown;
  for (let pauseMs = FIRST_PAUSE_MS; !deadline.over; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const asked = await ask(coordinator, gid, deadline);
    if (asked.state !== null && (asked.state.status === "succeed" || asked.state.status === "failed")) return asked.state;
    last = asked.state === null ? asked.error : asked.state.status;
    await deadline.pause(pauseMs);
  }
  const found = last instanceof Error ? `no answer (${last.message})` : `'${String(last ?? "nothing asked")}'`;
  const cause = last instanceof Error ? last : deadline.reason;
  throw new TransactionError("DEADLINE_EXCEEDED", `waited for the end of ${gid}, found ${found} when the time was up`, {
    gid,
    cause,
  });
}

type Asked = { readonly state: TransactionState } | { readonly state: null; readonly error: DtmError };

/** A coordinator that restarts meanwhile is waited for; what it refuses won't get better. */
async function ask(coordinator: Coordinator, gid: string, deadline: Deadline): Promise<Asked> {
  try {
    const state = await coordinator.query(gid, deadline.share(1));
    if (state !== null) return { state };
  } catch (error) {
    const temporary = error instanceof DtmError && TEMPORARY.has(error.code);
    if (!temporary) throw error;
    return { state: null, error };
  }
  throw new TransactionError("TRANSACTION_UNKNOWN", `expected a transaction ${gid}, found none`, { gid });
}

const TEMPORARY: ReadonlySet<string> = new Set(["COORDINATOR_UNREACHABLE", "COORDINATOR_ERROR", "DEADLINE_EXCEEDED"]);
