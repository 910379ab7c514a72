/** From what is stored to dtm's messages. */
import type { dtmgimp } from "@dtm/protocol";
import type { Branch, Loaded } from "../../engine/transaction.js";

/** With the result, which dtm forgets: a workflow that is executed again over gRPC gets back what it once returned (Q4). */
export function toProgressesReply({ transaction, branches }: Loaded): dtmgimp.DtmProgressesReply {
  return {
    Transaction: {
      Gid: transaction.gid,
      Status: transaction.status,
      RollbackReason: transaction.rollbackReason,
      Result: transaction.result,
    },
    Progresses: branches.map(toProgress),
  };
}

function toProgress(branch: Branch): dtmgimp.DtmProgress {
  return {
    Status: branch.status,
    // A view of the same bytes; a copy would double a large workflow's memory.
    BinData: Buffer.from(branch.payload.buffer, branch.payload.byteOffset, branch.payload.byteLength),
    BranchID: branch.branchId,
    Op: branch.op,
  };
}
