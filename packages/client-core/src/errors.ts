import { DtmError, type ErrorCode, type GlobalStatus, registerKind } from "@dtm/protocol";

/** An error about one global transaction: TRANSACTION_FAILED, TRANSACTION_RUNNING, TRANSACTION_CONFLICT, or no clear answer about it. */
export class TransactionError extends DtmError {
  readonly gid: string;
  /** The stored status when it was asked last; absent when nobody could tell. */
  readonly status?: GlobalStatus;
  /** Why it was rolled back, if it was and somebody said. */
  readonly rollbackReason?: string;

  constructor(
    code: ErrorCode,
    message: string,
    about: {
      readonly gid: string;
      readonly status?: GlobalStatus | undefined;
      readonly rollbackReason?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(code, message, about.cause === undefined ? {} : { cause: about.cause });
    this.gid = about.gid;
    if (about.status !== undefined) this.status = about.status;
    if (about.rollbackReason !== undefined && about.rollbackReason !== "") this.rollbackReason = about.rollbackReason;
  }
}

registerKind(TransactionError, "TransactionError");

/** In its parts: Node refuses an Error of another realm, as every one in a jest test is. */
export function emitWarning(warning: Error): void {
  const code = warning instanceof DtmError ? { code: warning.code } : {};
  process.emitWarning(warning.message, { type: warning.name, ...code });
}

/** Thrown for a call that came after the client's close(). */
export function clientClosed(): DtmError {
  return new DtmError("CLIENT_CLOSED", "expected an open client, found one after its close()");
}
