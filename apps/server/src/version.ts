import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** This server's version, from its package.json, which lies one folder above src, dist and bin alike. */
export function serverVersion(): string {
  return versionIn(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
}

export function grpcVersion(): string {
  return versionIn(readFileSync(createRequire(import.meta.url).resolve("@grpc/grpc-js/package.json"), "utf8"));
}

function versionIn(content: string): string {
  const parsed: unknown = JSON.parse(content);
  const version = typeof parsed === "object" && parsed !== null && "version" in parsed ? parsed.version : null;
  return typeof version === "string" ? version : "unknown";
}
