/**
 * The one table of refusals: every code with its HTTP, gRPC and JSON-RPC form (protocol.md 1.1, 1.13, 2.2).
 * A refusal is what a caller gets for a request that can't be done; the outside's failures are the store's errors.
 */
import { status as Grpc } from "@grpc/grpc-js";

export interface RefusalForm {
  readonly http: number;
  readonly grpc: number;
  readonly jsonRpc: number;
  /** `dtm_result` in the HTTP body; absent for plain errors. */
  readonly result?: "FAILURE" | "ONGOING";
  readonly meaning: string;
}

const FAILURE = { http: 409, grpc: Grpc.ABORTED, jsonRpc: -32901, result: "FAILURE" } as const;
const PLAIN = { http: 500, grpc: Grpc.UNKNOWN, jsonRpc: -32603 } as const;

export const REFUSALS = {
  STATUS_CONFLICT: { ...FAILURE, meaning: "the stored status does not allow this" },
  NOT_PREPARED: { ...FAILURE, meaning: "no prepared transaction of this gid to register a branch with" },
  ROLLED_BACK: { ...FAILURE, meaning: "a waiting submit ended in a rollback; the message is its reason" },
  WAIT_NOT_SUCCESS: { ...FAILURE, meaning: "a waiting submit has not ended yet; query tells how it goes on" },
  BRANCH_REFUSED: { ...FAILURE, meaning: "a branch that must succeed answered FAILURE to a waiting caller; it is retried" },
  BRANCH_ONGOING: {
    http: 425,
    grpc: Grpc.FAILED_PRECONDITION,
    jsonRpc: -32603,
    result: "ONGOING",
    meaning: "a branch is still at work; it is asked again",
  },
  BRANCH_ERROR: { ...PLAIN, meaning: "a branch answered with a temporary error to a waiting caller; it is retried" },
  INVALID_INPUT: { ...PLAIN, grpc: Grpc.INVALID_ARGUMENT, meaning: "the request breaks a rule of R22; nothing was stored" },
  UNPARSABLE: { ...PLAIN, grpc: Grpc.INVALID_ARGUMENT, jsonRpc: -32700, meaning: "the body is not JSON" },
  GID_UNKNOWN: { ...PLAIN, grpc: Grpc.INTERNAL, meaning: "no transaction has this gid" },
  NOT_FOUND: { ...PLAIN, grpc: Grpc.INTERNAL, meaning: "storage: NotFound, in dtm's words" },
  TOPIC_NOT_FOUND: { ...PLAIN, grpc: Grpc.INTERNAL, meaning: "the topic is unknown or has no subscriber" },
  TOPIC_REFUSED: { ...PLAIN, meaning: "a topic change that can't be made; the message says why" },
  BRANCH_TYPE_UNKNOWN: { ...PLAIN, meaning: "only tcc, xa and workflow transactions register branches" },
  DUPLICATE_BRANCH: { ...PLAIN, meaning: "this branch and op are registered already" },
  STORE_REFUSED: { ...PLAIN, meaning: "the store refused the data; nothing was stored" },
  TOO_LARGE: { http: 413, grpc: Grpc.RESOURCE_EXHAUSTED, jsonRpc: -32603, meaning: "the body is over 4 MiB" },
  UNAUTHENTICATED: { http: 401, grpc: Grpc.UNAUTHENTICATED, jsonRpc: -32603, meaning: "the token is missing or wrong" },
  FORBIDDEN: {
    http: 403,
    grpc: Grpc.PERMISSION_DENIED,
    jsonRpc: -32603,
    meaning: "a cross-site request, or a Host that is not ours",
  },
  UNAVAILABLE: {
    http: 503,
    grpc: Grpc.UNAVAILABLE,
    jsonRpc: -32603,
    meaning: "the store can't answer or the server stops; try again",
  },
  INTERNAL: { ...PLAIN, grpc: Grpc.INTERNAL, meaning: "a defect of the server" },
} as const satisfies Record<string, RefusalForm>;

export type RefusalCode = keyof typeof REFUSALS;

export class Refusal extends Error {
  override readonly name = "Refusal";
  /** `grpcCode` replaces the table's: a branch's own status for a waiting gRPC caller (protocol.md 2.2). */
  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly options: { readonly grpcCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
  }

  get form(): RefusalForm {
    return REFUSALS[this.code];
  }
}
