/**
 * The one table of the HTTP API (protocol.md 1.2). A route takes a small neutral request and returns an answer or throws a
 * refusal; the node:http front and Express both serve from here, and the OpenAPI document is checked against it.
 */
import type { Coordinator, Log, TopicRegistry, TransactionInput } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import type { Page } from "../../stores/store.js";
import { handleJsonRpc } from "../json-rpc/handle.js";
import type { Exposure } from "./access.js";
import { type Answer, JSON_TYPE, json, METRICS_TYPE, SUCCESS, text } from "./answer.js";
import { AS_WRITTEN, decodeBranch, decodeTransaction, OVER_HTTP } from "./decode.js";
import { encodeKeyValue, encodeQueried, encodeTransaction, encodeWorkflow } from "./encode.js";
import { encodeRefusal, logRefusal } from "./errors.js";
import { type HealthCheck, readiness } from "./health.js";
import { parseJson } from "./json.js";
import { listFilter, Query } from "./query.js";

export interface ApiRequest {
  /** The raw text behind the `?`. */
  readonly search: string;
  /** Empty where the route reads none. */
  readonly body: Uint8Array;
  /** The path's `:name`, decoded; "" when it has none. */
  readonly param: string;
}

/** What the routes call. */
export interface Api {
  readonly coordinator: Coordinator;
  readonly topics: TopicRegistry;
  readonly log: Log;
  /** With its `v`, as in `v1.2.3`. */
  readonly version: string;
  readonly metricsText: () => Promise<string>;
  readonly checks: readonly HealthCheck[];
  readonly stopping: () => boolean;
  /** The OpenAPI document, as JSON text. */
  readonly openApi: string;
}

export interface Route {
  readonly method: "GET" | "POST" | "DELETE" | "ANY";
  readonly path: string;
  /** Label in the metrics; null = not counted (protocol.md 7.5). */
  readonly api: string | null;
  readonly exposure: Exposure;
  /** Answered by the front without Express. */
  readonly hot: boolean;
  handle(api: Api, request: ApiRequest): Answer | Promise<Answer>;
}

type Handle = Route["handle"];

const BASE = "/api/dtmsvr";

export const ROUTES: readonly Route[] = [
  probe("ANY", "/api/ping", () => PONG),
  probe("GET", "/healthz", () => ALIVE),
  probe("GET", "/readyz", (api) => readiness(api.checks, api.stopping(), api.log)),
  route("GET", "/api/metrics", "operator", async (api) => text(await api.metricsText(), METRICS_TYPE)),
  route("GET", "/api/openapi.json", "operator", (api) => text(api.openApi, JSON_TYPE)),
  route("GET", `${BASE}/version`, "operator", (api) => json({ version: api.version })),
  hot("GET", "newGid", (api) => json({ dtm_result: "SUCCESS", gid: api.coordinator.newGid() })),
  hot("POST", "prepare", (api, { body }) => done(api.coordinator.prepare(transaction(body)))),
  hot("POST", "submit", (api, { body }) => done(api.coordinator.submit(transaction(body)))),
  hot("POST", "abort", (api, { body }) => done(api.coordinator.abort(transaction(body)))),
  hot("POST", "registerBranch", registerBranch),
  // Node's and the old PHP client's names.
  hot("POST", "registerXaBranch", registerBranch),
  hot("POST", "registerTccBranch", registerBranch),
  hot("POST", "prepareWorkflow", async (api, { body }) =>
    json(encodeWorkflow(await api.coordinator.prepareWorkflow(transaction(body)))),
  ),
  hot("GET", "query", async (api, { search }) => json(encodeQueried(await api.coordinator.query(new Query(search).text("gid"))))),
  route("GET", `${BASE}/all`, "operator", listAll),
  route("GET", `${BASE}/resetCronTime`, "operator", resetCronTime),
  route("POST", `${BASE}/forceStop`, "operator", (api, { body }) => {
    const { gid, rollbackReason } = decodeTransaction(parseJson(body), AS_WRITTEN);
    return done(api.coordinator.forceStop(gid, rollbackReason));
  }),
  route("POST", `${BASE}/resetNextCronTime`, "operator", (api, { body }) =>
    done(api.coordinator.resetNextCronTime(decodeTransaction(parseJson(body), AS_WRITTEN).gid)),
  ),
  route("GET", `${BASE}/subscribe`, "operator", (api, { search }) => {
    const query = new Query(search);
    return done(api.topics.subscribe(query.text("topic"), query.text("url"), query.text("remark")));
  }),
  route("GET", `${BASE}/unsubscribe`, "operator", (api, { search }) => {
    const query = new Query(search);
    return done(api.topics.unsubscribe(query.text("topic"), query.text("url")));
  }),
  route("DELETE", `${BASE}/topic/:topicName`, "operator", (api, { param }) => done(api.topics.deleteTopic(param)), "topic"),
  route("GET", `${BASE}/scanKV`, "operator", scanKeys),
  route("GET", `${BASE}/queryKV`, "operator", async (api, { search }) => {
    const query = new Query(search);
    const found = await api.topics.findKeys({ cat: query.text("cat"), key: query.text("key") });
    return json({ kv: found.map(encodeKeyValue) });
  }),
  route("POST", "/api/json-rpc", "client", (api, { body }) =>
    handleJsonRpc(api.coordinator, body, (refusal) => logRefusal(api.log, refusal, "json-rpc")),
  ),
];

const NO_TRANSACTIONS: Page = { transactions: [], nextPosition: "" };
const PONG: Answer = json({ msg: "pong" });
const ALIVE: Answer = json({ status: "alive" });

function probe(method: Route["method"], path: string, handle: Handle): Route {
  return { method, path, api: null, exposure: "probe", hot: false, handle };
}

function route(method: Route["method"], path: string, exposure: Exposure, handle: Handle, label?: string): Route {
  const api = label ?? path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  return { method, path, api, exposure, hot: false, handle };
}

function hot(method: "GET" | "POST", name: string, handle: Handle): Route {
  return { method, path: `${BASE}/${name}`, api: name.toLowerCase(), exposure: "client", hot: true, handle };
}

function transaction(body: Uint8Array): TransactionInput {
  return decodeTransaction(parseJson(body), OVER_HTTP);
}

async function done(work: Promise<void>): Promise<Answer> {
  await work;
  return SUCCESS;
}

/** dtm answers 400 here, and only here, when the body isn't JSON (protocol.md 1.1). */
function registerBranch(api: Api, { body }: ApiRequest): Answer | Promise<Answer> {
  let parsed: unknown;
  try {
    parsed = parseJson(body);
  } catch (cause) {
    if (cause instanceof Refusal) return { ...encodeRefusal(cause), status: 400 };
    throw cause;
  }
  return done(api.coordinator.registerBranch(decodeBranch(parsed, OVER_HTTP)));
}

async function listAll(api: Api, { search }: ApiRequest): Promise<Answer> {
  const query = new Query(search);
  const gid = query.text("gid");
  if (gid !== "") {
    const found = await api.coordinator.query(gid);
    return json({ transactions: found === null ? null : [encodeTransaction(found.transaction)], next_position: "" });
  }
  const filter = listFilter(query);
  const page = filter === null ? NO_TRANSACTIONS : await api.coordinator.list(filter);
  return json({ transactions: page.transactions.map(encodeTransaction), next_position: page.nextPosition });
}

async function resetCronTime(api: Api, { search }: ApiRequest): Promise<Answer> {
  const query = new Query(search);
  const timeoutSeconds = query.whole("timeout");
  const reset = await api.coordinator.resetCronTime({ timeoutSeconds, limit: query.limit() });
  return json({ has_remaining: reset.remaining, succeed_count: reset.count });
}

async function scanKeys(api: Api, { search }: ApiRequest): Promise<Answer> {
  const query = new Query(search);
  const page = await api.topics.scanKeys({ cat: query.text("cat"), position: query.position(), limit: query.limit() });
  return json({ kv: page.entries.map(encodeKeyValue), next_position: page.nextPosition });
}
