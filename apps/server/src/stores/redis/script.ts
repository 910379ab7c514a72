/** A Lua script with its digest: sent by digest, and whole only where Redis doesn't know it (it was restarted, or failed over). */
import { createHash } from "node:crypto";

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

export function script(name: string, ...parts: readonly string[]): Script {
  const text = parts.join("\n");
  return { name, text, sha: createHash("sha1").update(text).digest("hex") };
}
