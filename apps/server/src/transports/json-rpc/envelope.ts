/** Reading a JSON-RPC request. No batches; a number as id is a harmless extension and comes back as it was (protocol.md 1.13). */
import { isObject, parseJson } from "../http/json.js";

export const JSON_RPC = { parseError: -32700, badRequest: -32600, unknownMethod: -32601 } as const;

/** dtm's empty id when there is none to repeat. */
export type RpcId = string | number;

export interface Call {
  readonly kind: "call";
  readonly id: RpcId;
  readonly method: string;
  readonly params: unknown;
}

export interface Broken {
  readonly kind: "broken";
  readonly id: RpcId;
  readonly code: number;
  readonly message: string;
  /** 400 for what can't be parsed, else 200. */
  readonly status: number;
}

export function readCall(body: Uint8Array): Call | Broken {
  let parsed: unknown;
  try {
    parsed = parseJson(body);
  } catch (cause) {
    return unparsable(cause instanceof Error ? cause.message : String(cause));
  }
  if (!isObject(parsed)) return unparsable("expected one object; batches are not supported");
  const { jsonrpc, id, method, params } = parsed;
  if (id !== undefined && id !== null && typeof id !== "string" && typeof id !== "number") return unparsable("id is not a text");
  if (id === undefined || id === null || id === "") return badRequest("", "id is empty");
  if (jsonrpc !== "2.0") return badRequest(id, "jsonrpc is not 2.0");
  return { kind: "call", id, method: typeof method === "string" ? method : "", params };
}

function unparsable(why: string): Broken {
  return { kind: "broken", id: "", code: JSON_RPC.parseError, message: `Parse json error: ${why}`, status: 400 };
}

function badRequest(id: RpcId, why: string): Broken {
  return { kind: "broken", id, code: JSON_RPC.badRequest, message: `Bad json request: ${why}`, status: 200 };
}
