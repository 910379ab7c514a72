/** `POST /api/json-rpc` (protocol.md 1.13): five methods, always one answer with all four keys, since PHP looks for their presence. */
import type { Coordinator } from "../../engine/coordinator.js";
import type { Refusal } from "../../engine/refusal.js";
import { type Answer, json } from "../http/answer.js";
import { AS_WRITTEN, decodeBranch, decodeTransaction } from "../http/decode.js";
import { refusalFrom } from "../http/errors.js";
import { type Call, JSON_RPC, type RpcId, readCall } from "./envelope.js";

type Method = (coordinator: Coordinator, params: unknown) => unknown;

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["newGid", (coordinator) => ({ gid: coordinator.newGid() })],
  ["prepare", (coordinator, params) => coordinator.prepare(decodeTransaction(params, AS_WRITTEN))],
  ["submit", (coordinator, params) => coordinator.submit(decodeTransaction(params, AS_WRITTEN))],
  ["abort", (coordinator, params) => coordinator.abort(decodeTransaction(params, AS_WRITTEN))],
  ["registerBranch", (coordinator, params) => coordinator.registerBranch(decodeBranch(params, AS_WRITTEN))],
]);

/** `failed` hears of what the caller's own request did not cause, for the log. */
export async function handleJsonRpc(
  coordinator: Coordinator,
  body: Uint8Array,
  failed: (refusal: Refusal) => void = () => undefined,
): Promise<Answer> {
  const call = readCall(body);
  if (call.kind === "broken") return problem(call.id, call.code, call.message, call.status);
  const method = METHODS.get(call.method);
  if (method === undefined) return problem(call.id, JSON_RPC.unknownMethod, `Method not found: ${call.method.slice(0, 100)}`);
  return run(coordinator, call, method, failed);
}

async function run(coordinator: Coordinator, call: Call, method: Method, failed: (refusal: Refusal) => void): Promise<Answer> {
  try {
    const result = await method(coordinator, call.params);
    return json({ jsonrpc: "2.0", id: call.id, error: null, result: result ?? null });
  } catch (cause) {
    const refusal = refusalFrom(cause);
    failed(refusal);
    return problem(call.id, refusal.form.jsonRpc, refusal.message);
  }
}

function problem(id: RpcId, code: number, message: string, status = 200): Answer {
  return json({ jsonrpc: "2.0", id, error: { code, message }, result: null }, status);
}
