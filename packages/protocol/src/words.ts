/** The protocol's own words (protocol.md 0), spelled as they are on the wire: `succeed` is not a typing error. */
export const TRANSACTION_TYPES = ["saga", "tcc", "xa", "msg", "workflow"] as const;
export type TransactionType = (typeof TRANSACTION_TYPES)[number];

export const GLOBAL_STATUSES = ["prepared", "submitted", "aborting", "succeed", "failed"] as const;
export type GlobalStatus = (typeof GLOBAL_STATUSES)[number];

export const BRANCH_STATUSES = ["prepared", "succeed", "failed"] as const;
export type BranchStatus = (typeof BRANCH_STATUSES)[number];

export const PROTOCOLS = ["http", "grpc", "json-rpc"] as const;
/** Any other text is kept as it is, and what it stands beside is called by its URL: HTTP for http:// and https://, else gRPC (protocol.md 3.1). */
export type Protocol = (typeof PROTOCOLS)[number] | (string & {});

export const RESULT = { success: "SUCCESS", failure: "FAILURE", ongoing: "ONGOING" } as const;
export const TOPIC_PREFIX = "topic://";
export const JSON_RPC_FAILURE = -32901;
export const JSON_RPC_ONGOING = -32902;
/** Reserved for msg: the query-prepared call's branch id and op, and the barrier id of the local transaction. */
export const MSG_BRANCH = { branchId: "00", op: "msg", barrierId: "01" } as const;

export function isTransactionType(word: string): word is TransactionType {
  return (TRANSACTION_TYPES as readonly string[]).includes(word);
}

export function isGlobalStatus(word: string): word is GlobalStatus {
  return (GLOBAL_STATUSES as readonly string[]).includes(word);
}
