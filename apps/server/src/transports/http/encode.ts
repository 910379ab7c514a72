/**
 * The output objects of protocol.md 1.11. Zero values are left out unless the protocol says always; absent dates are left out and
 * never null, because C#'s model has no room for null.
 */
import type { Branch, Loaded, Millis, Transaction, TransactionOptions } from "../../engine/transaction.js";
import type { KeyValue } from "../../stores/store.js";

type Json = Record<string, unknown>;

export function encodeTransaction(transaction: Transaction): Json {
  const { options } = transaction;
  return {
    id: shortId(transaction.id),
    create_time: dateText(transaction.createTime),
    update_time: dateText(transaction.updateTime),
    gid: transaction.gid,
    trans_type: transaction.type,
    status: transaction.status,
    query_prepared: transaction.queryPrepared || undefined,
    protocol: transaction.protocol,
    finish_time: dateOrAbsent(transaction.finishTime),
    rollback_time: dateOrAbsent(transaction.rollbackTime),
    result: transaction.result || undefined,
    rollback_reason: transaction.rollbackReason || undefined,
    options: JSON.stringify(encodeOptions(options)),
    custom_data: transaction.customData || undefined,
    next_cron_interval: transaction.nextCronInterval || undefined,
    next_cron_time: dateText(transaction.nextCronTime),
    owner: transaction.owner || undefined,
    ...encodeOptions(options),
  };
}

/** Clients read an int32 (protocol.md 1.11), and nobody asks by it: 0 is what dtm says where its store has none. */
function shortId(id: number): number {
  return id < 2 ** 31 ? id : 0;
}

/** As dtm writes them: `concurrent` always, everything else only when it says something. */
export function encodeOptions(options: TransactionOptions): Json {
  return {
    wait_result: options.waitResult || undefined,
    timeout_to_fail: options.timeoutToFail || undefined,
    request_timeout: options.requestTimeout || undefined,
    retry_interval: options.retryInterval || undefined,
    branch_headers: Object.keys(options.branchHeaders).length > 0 ? options.branchHeaders : undefined,
    concurrent: options.concurrent,
    retry_limit: options.retryLimit || undefined,
  };
}

export function encodeBranch(branch: Branch): Json {
  return {
    id: shortId(branch.id),
    create_time: dateText(branch.createTime),
    update_time: dateText(branch.updateTime),
    gid: branch.gid,
    url: branch.url || undefined,
    bin_data: base64OrAbsent(branch.payload),
    branch_id: branch.branchId,
    op: branch.op,
    status: branch.status,
    finish_time: dateOrAbsent(branch.finishTime),
    rollback_time: dateOrAbsent(branch.rollbackTime),
  };
}

/** What `query` answers; for an unknown gid still a 200 (protocol.md 1.12). */
export function encodeQueried(loaded: Loaded | null): Json {
  if (loaded === null) return { branches: [], transaction: null };
  return { transaction: encodeTransaction(loaded.transaction), branches: loaded.branches.map(encodeBranch) };
}

/** The Go client reads this with protojson, so names and types hold (protocol.md 1.10). */
export function encodeWorkflow(loaded: Loaded): Json {
  return { transaction: encodeTransaction(loaded.transaction), progresses: loaded.branches.map(encodeBranch) };
}

export function encodeKeyValue(entry: KeyValue): Json {
  return {
    id: entry.id,
    create_time: dateText(entry.createTime),
    update_time: dateText(entry.updateTime),
    cat: entry.cat,
    k: entry.key,
    v: entry.value,
    version: entry.version,
  };
}

/** RFC 3339; Z is its offset. */
function dateText(at: Millis): string {
  return new Date(at).toISOString();
}

function dateOrAbsent(at: Millis | null): string | undefined {
  return at === null ? undefined : dateText(at);
}

function base64OrAbsent(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
