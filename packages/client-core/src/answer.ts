/** What a branch answered to a client's call, and what its outcome means to the caller. */
import { DtmError, Failure, Ongoing } from "@dtm/protocol";
import { withoutUserinfo } from "./address.js";
import { Deadline } from "./deadline.js";
import { TransactionError } from "./errors.js";
import { sendable } from "./headers.js";
import type { BranchInvocation, BranchReply, CallLimits, Transport } from "./transport.js";

/** The answer of a branch that succeeded. */
export class BranchAnswer {
  readonly branchId: string;
  /** The body of the answer, or the encoded message. */
  readonly bytes: Uint8Array;

  /** @internal */
  constructor(branchId: string, bytes: Uint8Array) {
    this.branchId = branchId;
    this.bytes = bytes;
  }

  text(): string {
    return Buffer.from(this.bytes).toString("utf8");
  }

  /** @throws DtmError PAYLOAD_INVALID when the answer isn't JSON. */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      const message = `branch ${this.branchId}: expected an answer in JSON, found ${JSON.stringify(this.text().slice(0, 100))}`;
      throw new DtmError("PAYLOAD_INVALID", message, { cause });
    }
  }
}

/**
 * Calls a branch once; whoever repeats it can't know whether the first call was carried out.
 *
 * @throws Failure when the branch refused; Ongoing; DtmError BRANCH_UNKNOWN for everything that is no definite answer, DEADLINE_EXCEEDED
 * when the caller has given up.
 */
export async function callBranch(transport: Transport, invocation: BranchInvocation, limits: CallLimits): Promise<BranchAnswer> {
  const deadline = new Deadline(limits);
  const sent = { ...invocation, headers: sendable(invocation.headers) };
  const reply = await transport.callBranch(sent, deadline.share(1));
  const what = `${invocation.op} of branch ${invocation.branchId} of ${invocation.gid} at ${withoutUserinfo(invocation.url)}`;
  if (deadline.aborted) {
    const { gid } = invocation;
    throw new TransactionError("DEADLINE_EXCEEDED", `${what} was given up by its caller`, { gid, cause: deadline.reason });
  }
  return read(reply, what, invocation.branchId);
}

function read({ outcome, body }: BranchReply, what: string, branchId: string): BranchAnswer {
  switch (outcome.kind) {
    case "success":
      return new BranchAnswer(branchId, body);
    case "failure":
      throw new Failure(`${what} was refused: ${outcome.reason}`);
    case "ongoing":
      throw new Ongoing(`${what} isn't done: ${outcome.reason}`);
    case "unknown":
      throw new DtmError("BRANCH_UNKNOWN", `${what} ended without a definite answer: ${outcome.message}`);
    default:
      return outcome satisfies never;
  }
}
