import { Metadata } from "@grpc/grpc-js";
import { sendable } from "./branch-headers.js";
import type { Invocation } from "./participant.js";

/**
 * What goes with a gRPC branch call (protocol.md 2.4): the call's own keys win over branch headers, and `dtm-dtm` is always
 * there and always empty. What gRPC can't carry is an error text, not an exception.
 */
export function grpcMetadata({ gid, type, branchId, op, headers }: Invocation): Metadata | { readonly error: string } {
  const metadata = new Metadata();
  try {
    for (const [name, value] of sendable(headers)) {
      // `:` names HTTP/2's own fields, `grpc-` gRPC's.
      if (name === "host" || name.startsWith(":") || name.startsWith("grpc-")) continue;
      metadata.set(name, name.endsWith("-bin") ? Buffer.from(value) : value);
    }
    metadata.set("dtm-gid", gid);
    metadata.set("dtm-trans_type", type);
    metadata.set("dtm-branch_id", branchId);
    metadata.set("dtm-op", op);
    metadata.set("dtm-dtm", "");
    return metadata;
  } catch (cause) {
    return { error: `not called: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
}
