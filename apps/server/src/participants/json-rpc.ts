import { randomUUID } from "node:crypto";
import { type Outcome, outcomeFromJsonRpc } from "@dtm/protocol";
import { httpHeaders } from "./branch-headers.js";
import { type HttpParts, sendHttp } from "./http.js";
import type { HttpTarget } from "./http-target.js";
import type { Invocation } from "./participant.js";

/** Unlike 3.2's words, a JSON-RPC verdict needs the whole reply; the same limit as for what comes in. */
const REPLY_BYTES = 4 * 1024 * 1024;

/** A branch call over JSON-RPC (protocol.md 3.4): POST to the URL as it is, with the method that its query names. */
export async function callJsonRpc(parts: HttpParts, target: HttpTarget, invocation: Invocation): Promise<Outcome> {
  const params = paramsOf(invocation);
  if (params === null) return { kind: "unknown", message: "not called: the payload of a JSON-RPC branch must be a JSON object" };
  const answer = await sendHttp(parts, {
    target,
    path: target.path,
    method: "POST",
    headers: httpHeaders(invocation.headers, target.authorization),
    body: Buffer.from(
      `{"jsonrpc":"2.0","method":${JSON.stringify(methodOf(target))},"params":${params},"id":${JSON.stringify(randomUUID())}}`,
    ),
    timeoutMs: invocation.timeoutMs,
    bodyLimit: REPLY_BYTES,
  });
  if ("error" in answer) return { kind: "unknown", message: answer.error };
  return outcomeFromJsonRpc(answer.status, answer.body, answer.headers);
}

function methodOf(target: HttpTarget): string {
  const queryAt = target.path.indexOf("?");
  return queryAt < 0 ? "" : (new URLSearchParams(target.path.slice(queryAt)).get("method") ?? "");
}

/**
 * The payload with the call's four fields, as JSON text, or null when it is no object. Fields are added to the text instead of
 * a parsed object, so the client's numbers keep their digits. An empty payload counts as `{}` (protocol.md 9, Q25).
 */
export function paramsOf({
  payload,
  gid,
  type,
  branchId,
  op,
}: Pick<Invocation, "payload" | "gid" | "type" | "branchId" | "op">): string | null {
  const text = Buffer.from(payload).toString().trim();
  const own = { gid, trans_type: type, branch_id: branchId, op };
  if (text === "" || text === "null") return JSON.stringify(own);
  const parsed = parsedObject(text);
  if (parsed === null) return null;
  const keys = Object.keys(parsed);
  if (keys.some((key) => Object.hasOwn(own, key))) return JSON.stringify({ ...parsed, ...own });
  return `${text.slice(0, -1)}${keys.length === 0 ? "" : ","}${JSON.stringify(own).slice(1)}`;
}

function parsedObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
