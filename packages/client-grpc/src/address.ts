/** Addresses of the coordinator as people write them for gRPC. */
import { hasUsablePort } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";

const GRPC_PORT = "36790";
const HTTP_PORT = "36789";

/** @throws DtmError OPTION_INVALID. */
export function targetOf(server: unknown): string {
  if (typeof server === "string" && server.includes("@")) {
    const message =
      "server: expected host:port without a user and password, which belong into token or headers, found an @ in it";
    throw new DtmError("OPTION_INVALID", message);
  }
  if (typeof server === "string" && /^[^/\s]+:\d{1,5}$/.test(server) && hasUsablePort(server)) return server;
  throw new DtmError(
    "OPTION_INVALID",
    `server: expected host:port without scheme, like "localhost:36790", found ${JSON.stringify(server)}`,
  );
}

/** Where the same coordinator answers HTTP, if its ports are the usual ones; null when nobody can know. */
export function httpServerOf(target: string, secure: boolean): string | null {
  const colon = target.lastIndexOf(":");
  if (target.slice(colon + 1) !== GRPC_PORT) return null;
  return `${secure ? "https" : "http"}://${target.slice(0, colon)}:${HTTP_PORT}`;
}

export interface BranchTarget {
  readonly target: string;
  readonly path: string;
}

/** `host:port/package.Service/Method`, split at the first slash (protocol.md 3.3). */
export function branchTargetOf(url: string): BranchTarget | null {
  const slash = url.indexOf("/");
  if (slash < 1 || url.includes("://")) return null;
  return { target: url.slice(0, slash), path: url.slice(slash) };
}
