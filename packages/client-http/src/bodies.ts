/** Requests as JSON: T and R of protocol.md 1.3 and 1.9. What isn't set isn't sent. */
import type { BranchRegistration, EncodedPayload, TransactionRequest } from "@dtm/client-core/internal";

export function transactionBody(request: TransactionRequest): object {
  const { options } = request;
  return {
    gid: request.gid,
    trans_type: request.transType,
    ...(request.steps === undefined ? {} : { steps: request.steps }),
    ...(request.payloads === undefined ? {} : { payloads: request.payloads.map(textOf) }),
    ...(request.customData === undefined ? {} : { custom_data: request.customData }),
    ...(request.queryPrepared === undefined ? {} : { query_prepared: request.queryPrepared }),
    ...(request.rollbackReason === undefined ? {} : { rollback_reason: request.rollbackReason }),
    ...(request.extra === undefined ? {} : { req_extra: request.extra }),
    ...(options.waitResult ? { wait_result: true } : {}),
    ...(options.timeoutToFail === 0 ? {} : { timeout_to_fail: options.timeoutToFail }),
    ...(options.requestTimeout === 0 ? {} : { request_timeout: options.requestTimeout }),
    ...(options.retryInterval === 0 ? {} : { retry_interval: options.retryInterval }),
    ...(options.retryLimit === 0 ? {} : { retry_limit: options.retryLimit }),
    ...(Object.keys(options.branchHeaders).length === 0 ? {} : { branch_headers: options.branchHeaders }),
    ...(options.concurrent ? { concurrent: true } : {}),
  };
}

/** Flat, and every value a text. */
export function registrationBody(registration: BranchRegistration): object {
  const { gid, transType, branchId, payload, data } = registration;
  return {
    gid,
    trans_type: transType,
    branch_id: branchId,
    ...(payload === undefined || payload.length === 0 ? {} : { data: textOf(payload) }),
    ...data,
  };
}

function textOf(payload: EncodedPayload): string {
  return typeof payload === "string" ? payload : Buffer.from(payload).toString("utf8");
}
