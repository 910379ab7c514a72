/** The JSON shapes of protocol.md 1.3 and 1.9 to 1.13 as JSON Schema 2020-12, which is what OpenAPI 3.1 uses. */
import { BRANCH_STATUSES, GLOBAL_STATUSES, PROTOCOLS, TRANSACTION_TYPES } from "@dtm/protocol";

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const whole = { type: "integer" } as const;
const date = { type: "string", format: "date-time" } as const;
const texts = { type: "object", additionalProperties: text } as const;

/** SDKs of Python and C# write null for whatever wasn't said. */
function orNull<S extends { readonly type: string }>(schema: S) {
  return { ...schema, type: [schema.type, "null"] } as const;
}

function ref(name: string) {
  return { $ref: `#/components/schemas/${name}` } as const;
}

function object(properties: Readonly<Record<string, object>>, required: readonly string[] = Object.keys(properties)) {
  return { type: "object", properties, required } as const;
}

function list(items: object) {
  return { type: "array", items } as const;
}

const seconds = { type: ["integer", "string", "null"], description: "Seconds; 0 = the server's setting." } as const;

export const SCHEMAS = {
  Anything: { type: "object" },
  Pong: object({ msg: { const: "pong" } }),
  Health: object({ status: text, checks: texts }, ["status"]),
  Version: object({ version: text }),
  Done: object({ dtm_result: { const: "SUCCESS" } }),
  NewGid: object({ dtm_result: { const: "SUCCESS" }, gid: text }),
  Failure: object({ dtm_result: { enum: ["FAILURE", "ONGOING"] }, message: text }),
  Problem: object({ message: text }),
  Named: object({ gid: text, rollback_reason: orNull(text) }, ["gid"]),
  Step: object(
    {
      action: { ...orNull(text), description: "What to call; topic://name for a msg's subscribers." },
      compensate: { ...orNull(text), description: "Undoes the action; empty when there is nothing to undo." },
      data: { ...orNull(text), description: "Payload, as clients older than 1.10 send it." },
    },
    [],
  ),
  Transaction: object(
    {
      gid: { type: "string", maxLength: 128 },
      trans_type: { enum: TRANSACTION_TYPES },
      steps: { type: ["array", "null"], items: { anyOf: [ref("Step"), { type: "null" }] }, maxItems: 10_000 },
      payloads: { type: ["array", "null"], items: orNull(text), description: "One per step, serialised already." },
      query_prepared: orNull(text),
      protocol: { ...orNull(text), maxLength: 45, description: `${PROTOCOLS.join(", ")}; empty is ${PROTOCOLS[0]}.` },
      custom_data: { ...orNull(text), description: "JSON text: concurrent and orders, delay, or name and data." },
      wait_result: orNull(flag),
      timeout_to_fail: seconds,
      request_timeout: seconds,
      retry_interval: seconds,
      branch_headers: { anyOf: [orNull(texts), { type: "array", maxItems: 0 }] },
      concurrent: orNull(flag),
      retry_limit: { type: ["integer", "string", "null"], maximum: 10_000 },
      rollback_reason: orNull(text),
      req_extra: { anyOf: [orNull(texts), { type: "array", maxItems: 0 }] },
    },
    ["gid"],
  ),
  Branch: {
    ...object(
      {
        gid: { type: "string", maxLength: 128 },
        trans_type: { enum: ["tcc", "xa", "workflow"] },
        branch_id: text,
        data: { ...orNull(text), description: "Payload of tcc's and xa's calls; of a workflow the step's result." },
        confirm: { ...orNull(text), description: "For tcc; empty when there is nothing to call." },
        cancel: { ...orNull(text), description: "For tcc; empty when there is nothing to call." },
        url: { ...orNull(text), description: "For xa: commit and rollback are sent there." },
        op: { ...orNull(text), description: "For workflow: action, commit, rollback or the client's own word; else ignored." },
        status: { ...orNull(text), description: `For workflow: ${BRANCH_STATUSES.join(", ")}; else ignored.` },
      },
      ["gid", "trans_type", "branch_id"],
    ),
    anyOf: [
      { properties: { trans_type: { enum: ["tcc", "xa"] } } },
      {
        properties: {
          trans_type: { const: "workflow" },
          op: { type: ["string", "null"], maxLength: 45 },
          status: { enum: BRANCH_STATUSES },
        },
        required: ["status"],
      },
    ],
  },
  StoredTransaction: object(
    {
      id: { type: "integer", maximum: 2_147_483_647 },
      create_time: date,
      update_time: date,
      gid: text,
      trans_type: { enum: TRANSACTION_TYPES },
      status: { enum: GLOBAL_STATUSES },
      query_prepared: text,
      protocol: text,
      finish_time: date,
      rollback_time: date,
      result: text,
      rollback_reason: text,
      options: { ...text, description: "The options once more, as JSON text." },
      custom_data: text,
      next_cron_interval: whole,
      next_cron_time: date,
      owner: text,
      wait_result: flag,
      timeout_to_fail: whole,
      request_timeout: whole,
      retry_interval: whole,
      branch_headers: texts,
      concurrent: flag,
      retry_limit: whole,
    },
    ["id", "create_time", "update_time", "gid", "trans_type", "status", "concurrent"],
  ),
  StoredBranch: object(
    {
      id: whole,
      create_time: date,
      update_time: date,
      gid: text,
      url: text,
      bin_data: { ...text, contentEncoding: "base64" },
      branch_id: text,
      op: text,
      status: { enum: BRANCH_STATUSES },
      finish_time: date,
      rollback_time: date,
    },
    ["id", "create_time", "update_time", "gid", "branch_id", "op", "status"],
  ),
  Queried: object({
    transaction: { anyOf: [ref("StoredTransaction"), { type: "null" }] },
    branches: list(ref("StoredBranch")),
  }),
  Workflow: object({ transaction: ref("StoredTransaction"), progresses: list(ref("StoredBranch")) }),
  TransactionPage: object({
    transactions: { type: ["array", "null"], items: ref("StoredTransaction") },
    next_position: { ...text, description: "Empty at the end." },
  }),
  Reset: object({ has_remaining: flag, succeed_count: whole }),
  KeyValue: object({ id: whole, create_time: date, update_time: date, cat: text, k: text, v: text, version: whole }),
  KeyValues: object({ kv: list(ref("KeyValue")) }),
  KeyValuePage: object({ kv: list(ref("KeyValue")), next_position: text }),
  RpcRequest: object(
    {
      jsonrpc: { const: "2.0" },
      id: { type: ["string", "number"] },
      method: { enum: ["newGid", "prepare", "submit", "abort", "registerBranch"] },
      params: {},
    },
    ["jsonrpc", "id", "method"],
  ),
  RpcAnswer: object({
    jsonrpc: { const: "2.0" },
    id: { type: ["string", "number"] },
    error: { anyOf: [object({ code: whole, message: text }), { type: "null" }] },
    result: {},
  }),
} as const;
