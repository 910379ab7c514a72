import type { Protocol } from "../engine/transaction.js";

export type Transport = "http" | "json-rpc" | "grpc";

export function isHttpUrl(url: string): boolean {
  return url.startsWith("http://") || url.startsWith("https://");
}

/**
 * Which transport a branch is called over (protocol.md 3.1). The scheme is stronger than the protocol, so a step that was
 * registered over gRPC may still have an HTTP address; and with `protocol: http` everything goes over HTTP, custom schemes
 * included, since a driver may rewrite them (7.4).
 */
export function transportOf(branch: { readonly url: string; readonly protocol: Protocol }): Transport {
  if (branch.protocol !== "http" && !isHttpUrl(branch.url)) return "grpc";
  return branch.protocol === "json-rpc" && branch.url.includes("method") ? "json-rpc" : "http";
}
