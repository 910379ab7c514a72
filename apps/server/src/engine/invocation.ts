/** From a transaction to the call a participant gets (protocol.md 3.5). */
import { MSG_BRANCH, workflow } from "@dtm/protocol";
import type { Invocation } from "../participants/participant.js";
import type { Plan } from "./plan.js";
import type { TypeSettings } from "./settings.js";
import type { Branch, Transaction } from "./transaction.js";

const NOTHING = new Uint8Array(0);

export function branchInvocation(transaction: Transaction, branch: Branch, settings: TypeSettings): Invocation {
  return {
    url: branch.url,
    protocol: transaction.protocol,
    gid: transaction.gid,
    type: transaction.type,
    branchId: branch.branchId,
    op: branch.op,
    payload: branch.payload,
    headers: transaction.options.branchHeaders,
    timeoutMs: requestTimeoutMs(transaction, settings),
  };
}

/** Query-prepared of a msg, or the recall of a workflow, whose op is the workflow's name. */
export function callbackInvocation(transaction: Transaction, plan: Plan, settings: TypeSettings): Invocation {
  const recall = transaction.type === "workflow";
  return {
    url: transaction.queryPrepared,
    protocol: transaction.protocol,
    gid: transaction.gid,
    type: transaction.type,
    branchId: MSG_BRANCH.branchId,
    op: recall ? plan.name : MSG_BRANCH.op,
    payload: recall ? recallPayload(transaction, plan) : NOTHING,
    headers: transaction.options.branchHeaders,
    timeoutMs: requestTimeoutMs(transaction, settings),
  };
}

export function requestTimeoutMs(transaction: Transaction, settings: TypeSettings): number {
  const { requestTimeout } = transaction.options;
  // dtm accepted negative numbers, and such rows are taken over (protocol.md 9, Q20).
  return (requestTimeout > 0 ? requestTimeout : settings.requestTimeout) * 1000;
}

function recallPayload(transaction: Transaction, plan: Plan): Uint8Array {
  const overHttp = transaction.protocol === "http" || /^https?:\/\//.test(transaction.queryPrepared);
  return overHttp ? plan.data : workflow.WorkflowData.encode({ Data: Buffer.from(plan.data) }).finish();
}
