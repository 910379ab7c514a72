/** What a branch call came to (protocol.md 0 and 3): the one shape all transports are read into. */
export type Outcome =
  | { readonly kind: "success" }
  /** Definite: roll back. `reason` is the participant's own text, without the FAILURE suffix the wire adds. */
  | { readonly kind: "failure"; readonly reason: string; readonly grpcCode?: number }
  /** Not yet: ask again at the fixed interval. */
  | { readonly kind: "ongoing"; readonly reason: string; readonly retryAfterMs?: number }
  /** Temporary: nobody knows; ask again with back-off. `grpcCode` is the branch's own status, for a waiting gRPC caller. */
  | { readonly kind: "unknown"; readonly message: string; readonly grpcCode?: number; readonly retryAfterMs?: number };
