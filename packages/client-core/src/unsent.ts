/** Errors of calls that aren't made at all, because the client was closed or the caller has given up. */
import { DtmError } from "@dtm/protocol";
import { clientClosed, TransactionError } from "./errors.js";

/**
 * What was done under a gid before the call that isn't made. Its outcome is open, and who was only told that nothing was sent would do the
 * whole once more, under another gid.
 */
export interface Begun {
  readonly gid: string;
  /** The call, like "submit". */
  readonly what: string;
  /** What is done, and who goes on with it. */
  readonly done: string;
}

/** For a call that came after the client's close(). A TransactionError when something was begun. */
export function closedBefore(begun: Begun | undefined): DtmError {
  const closed = clientClosed();
  return begun === undefined ? closed : unsent("CLIENT_CLOSED", begun, closed.message, closed);
}

/** For a call whose signal had fired before it. A TransactionError when something was begun. */
export function givenUpBefore(begun: Begun | undefined, cause: unknown): DtmError {
  if (begun !== undefined) return unsent("DEADLINE_EXCEEDED", begun, "its caller had given up", cause);
  return new DtmError("DEADLINE_EXCEEDED", "given up by the caller before anything was sent", { cause });
}

function unsent(
  code: "CLIENT_CLOSED" | "DEADLINE_EXCEEDED",
  { gid, what, done }: Begun,
  why: string,
  cause: unknown,
): TransactionError {
  return new TransactionError(code, `${what} of ${gid} was not sent: ${why}; ${done}`, { gid, cause });
}
