/**
 * A branch as an application sees it: which call of the coordinator this is, and which payload belongs to which address. How a call
 * is labelled on the wire is in protocol.md 2.4, 3.2 and 6.1.
 */

/** Which branch of which transaction a call belongs to: what a barrier needs to know. */
export interface Branch {
  readonly gid: string;
  /** `saga`, `tcc`, `xa`, `msg` or `workflow`; a text, since other coordinators may know more. */
  readonly transType: string;
  readonly branchId: string;
  /** `action`, `compensate`, `try`, `confirm`, `cancel`, `commit`, `rollback`, `msg`, or a workflow's name. */
  readonly op: string;
}

/** The names of a branch's parts: in the query of an HTTP call as they are, in gRPC metadata with `dtm-` before them. */
export const BRANCH_KEYS = {
  gid: "gid",
  transType: "trans_type",
  branchId: "branch_id",
  op: "op",
  /** The coordinator's own address; only clients send it, the coordinator leaves it empty. */
  coordinator: "dtm",
  /** XA only: where phase 2 is to be sent. */
  phase2Url: "phase2_url",
} as const;

export const METADATA_PREFIX = "dtm-";

/** Reads a branch from named values; null when one of the four is missing or empty. */
export function branchFrom(read: (key: string) => string | null | undefined): Branch | null {
  const gid = read(BRANCH_KEYS.gid);
  const transType = read(BRANCH_KEYS.transType);
  const branchId = read(BRANCH_KEYS.branchId);
  const op = read(BRANCH_KEYS.op);
  return gid && transType && branchId && op ? { gid, transType, branchId, op } : null;
}

/** Type only: carries a payload type from where an address is declared to who calls it and who serves it. */
declare const payloadType: unique symbol;

/** The address of a branch together with the type of its payload; made by {@link branch}. */
export interface BranchAddress<Payload> {
  readonly url: string;
  readonly [payloadType]?: (payload: Payload) => Payload;
}

/**
 * Declares a branch once, for the transaction that calls it and for the handler that serves it: a payload of another shape doesn't
 * compile on either side.
 *
 * @param url - Full address: `http(s)://…`, or `host:port/package.Service/Method` for gRPC.
 */
export function branch<Payload>(url: string): BranchAddress<Payload> {
  return { url };
}
