import { type Transport, transportOf } from "./dispatch.js";
import type { Driver } from "./driver.js";
import type { TargetCache } from "./http-target.js";
import type { Invocation } from "./participant.js";

/**
 * What limits and breakers are kept by (R12): scheme + host + port + path over HTTP, target + method over gRPC. Never the host
 * alone, since a limit per host would be the stuck neighbour that it is meant to contain. A URL that can't be called is its own.
 */
export function destinationOf(
  branch: Pick<Invocation, "url" | "protocol">,
  parts: { targets: TargetCache; driver: Driver },
): string {
  const transport: Transport = transportOf(branch);
  switch (transport) {
    case "http":
    case "json-rpc": {
      const target = parts.targets.get(branch.url);
      return "error" in target ? branch.url : target.destination;
    }
    case "grpc": {
      const address = parts.driver.splitGrpc(branch.url);
      return "error" in address ? branch.url : address.target + address.method;
    }
  }
}
