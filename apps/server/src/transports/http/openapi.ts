/** The OpenAPI 3.1 document, served at /api/openapi.json. A test holds it against the route table, so neither grows alone. */
import { SCHEMAS } from "./openapi-schemas.js";
import { ROUTES, type Route } from "./routes.js";

type Json = { readonly [key: string]: unknown };

interface Operation {
  readonly summary: string;
  /** Name to description; a leading `#` marks a whole number. */
  readonly query?: Readonly<Record<string, string>>;
  /** Schema of the request's body. */
  readonly body?: keyof typeof SCHEMAS;
  /** Schema of the 200; absent = plain text. */
  readonly answer?: keyof typeof SCHEMAS;
  /** Refusals beside 401, 403, 500 and 503. */
  readonly refusals?: readonly ("409" | "425" | "413" | "503" | "400")[];
}

const CHANGE = { answer: "Done", refusals: ["409", "413"] } as const;
const WAITING = { ...CHANGE, refusals: ["409", "413", "425"] } as const;
const BRANCH = { ...CHANGE, body: "Branch", refusals: ["400", "409", "413"] } as const;
const TOPIC = { topic: "Name of the topic.", url: "What to call: an HTTP URL or a gRPC method." } as const;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "/api/ping": { summary: "Says that the server answers.", answer: "Pong" },
  "/healthz": { summary: "Says that the process lives.", answer: "Health" },
  "/readyz": {
    summary:
      "Says whether every part can work: the store answers, and takes the heartbeat, a write, when several servers can share it.",
    answer: "Health",
    refusals: ["503"],
  },
  "/api/metrics": { summary: "Prometheus text." },
  "/api/openapi.json": { summary: "This document.", answer: "Anything" },
  "/api/dtmsvr/version": { summary: "The server's version.", answer: "Version" },
  "/api/dtmsvr/newGid": { summary: "A fresh gid.", answer: "NewGid" },
  "/api/dtmsvr/prepare": { summary: "Creates a transaction as prepared.", body: "Transaction", ...CHANGE },
  "/api/dtmsvr/submit": {
    summary:
      "Creates a transaction as submitted, or moves the prepared one, and drives it to its end. With wait_result a 409 is no proof of a rollback: query.",
    body: "Transaction",
    ...WAITING,
  },
  "/api/dtmsvr/abort": {
    summary: "Rolls back a tcc or xa transaction, or drops a prepared msg.",
    body: "Transaction",
    ...WAITING,
  },
  "/api/dtmsvr/registerBranch": { summary: "Adds a branch to a prepared tcc, xa or workflow.", ...BRANCH },
  "/api/dtmsvr/registerXaBranch": { summary: "The same as registerBranch, under its old name.", ...BRANCH },
  "/api/dtmsvr/registerTccBranch": { summary: "The same as registerBranch, under its old name.", ...BRANCH },
  "/api/dtmsvr/prepareWorkflow": {
    summary: "Creates a workflow, or returns the stored one with its progress.",
    body: "Transaction",
    answer: "Workflow",
    refusals: ["413"],
  },
  "/api/dtmsvr/query": {
    summary: "One transaction with its branches; transaction is null for an unknown gid.",
    query: { gid: "Its gid." },
    answer: "Queried",
  },
  "/api/dtmsvr/all": {
    summary: "Transactions, newest first.",
    query: {
      gid: "Only this one; every other filter is ignored.",
      gidPrefix: "Only gids that begin so.",
      status: "prepared, submitted, aborting, succeed or failed.",
      transType: "saga, tcc, xa, msg or workflow.",
      createTimeStart: "#Unix milliseconds, cut to whole seconds, inclusive.",
      createTimeEnd: "#Unix milliseconds, cut to whole seconds; that second is in.",
      position: "next_position of the page before.",
      limit: "#At most so many; 100 by default.",
    },
    answer: "TransactionPage",
  },
  "/api/dtmsvr/resetCronTime": {
    summary: "Makes unfinished transactions due that would be looked at later than timeout from now.",
    query: { timeout: "#Seconds; three times TimeoutToFail by default.", limit: "#At most so many; 100 by default." },
    answer: "Reset",
  },
  "/api/dtmsvr/forceStop": { summary: "Ends a transaction as failed without calling a branch.", body: "Named", ...CHANGE },
  "/api/dtmsvr/resetNextCronTime": { summary: "Makes one transaction due now.", body: "Named", ...CHANGE },
  "/api/dtmsvr/subscribe": {
    summary: "Adds a subscriber to a topic, which is created with its first one.",
    query: { ...TOPIC, remark: "A note for people." },
    answer: "Done",
  },
  "/api/dtmsvr/unsubscribe": { summary: "Removes a subscriber from a topic.", query: TOPIC, answer: "Done" },
  "/api/dtmsvr/topic/{topicName}": { summary: "Deletes a topic.", answer: "Done" },
  "/api/dtmsvr/scanKV": {
    summary: "Entries of the kv table, page by page.",
    query: {
      cat: "Category, as in topics.",
      position: "next_position of the page before.",
      limit: "#At most so many; 100 by default.",
    },
    answer: "KeyValuePage",
  },
  "/api/dtmsvr/queryKV": {
    summary: "Entries of the kv table; an absent parameter matches everything.",
    query: { cat: "Category, as in topics.", key: "Key." },
    answer: "KeyValues",
  },
  "/api/json-rpc": {
    summary: "newGid, prepare, submit, abort and registerBranch as JSON-RPC 2.0; refusals come with status 200.",
    body: "RpcRequest",
    answer: "RpcAnswer",
    refusals: ["400", "413"],
  },
};

export function openApiDocument(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ROUTES) {
    const path = openApiPath(route.path);
    const operation = OPERATIONS[path];
    if (operation === undefined) throw new Error(`the route ${path} is not in the OpenAPI document`);
    paths[path] = { ...paths[path], [methodOf(route)]: describe(route, path, operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Distributed transaction coordinator",
      version,
      description: "The HTTP API of dtm: bodies are read as JSON whatever their Content-Type says.",
    },
    paths,
    components: { schemas: SCHEMAS, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}

/** Paths the document describes; a test compares them with the routes. */
export const DESCRIBED_PATHS: readonly string[] = Object.keys(OPERATIONS);

export function openApiPath(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

function methodOf({ method }: Route): string {
  return method === "ANY" ? "get" : method.toLowerCase();
}

function describe(route: Route, path: string, operation: Operation): Json {
  const parameters = [...pathParameters(path), ...queryParameters(operation.query ?? {})];
  return {
    operationId: `${methodOf(route)}${path.replace(/[^A-Za-z]+([A-Za-z])?/g, (_, letter: string | undefined) => (letter ?? "").toUpperCase())}`,
    summary: operation.summary,
    ...(route.exposure === "probe" ? {} : { security: [{}, { token: [] }] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(operation.body === undefined ? {} : { requestBody: { required: true, content: jsonContent(operation.body) } }),
    responses: responsesOf(route, operation),
  };
}

function responsesOf(route: Route, { answer, refusals }: Operation): Json {
  const ok = answer === undefined ? { "text/plain": { schema: { type: "string" } } } : jsonContent(answer);
  const codes = route.exposure === "probe" ? [] : ["401", "403", "500", "503"];
  const problems = [...(refusals ?? []), ...codes].map((code) => [
    code,
    { description: MEANINGS[code], content: jsonContent(problemOf(route, code)) },
  ]);
  return { "200": { description: "It is done.", content: ok }, ...Object.fromEntries(problems) };
}

const MEANINGS: Readonly<Record<string, string>> = {
  "400": "The body can't be read.",
  "401": "The token is missing or wrong.",
  "403": "A browser asked on behalf of another site.",
  "409": "FAILURE: the stored status does not allow this, or a waiting submit was not a success.",
  "413": "The body is over 4 MiB.",
  "425": "ONGOING: a branch is still at work.",
  "500": "Refused; the message says why, and nothing was changed.",
  "503": "The store or the server can't answer now.",
};

function problemOf(route: Route, code: string): keyof typeof SCHEMAS {
  if (route.path === "/readyz") return "Health";
  if (route.path === "/api/json-rpc" && code === "400") return "RpcAnswer";
  return code === "409" || code === "425" ? "Failure" : "Problem";
}

function jsonContent(schema: keyof typeof SCHEMAS): Json {
  return { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
}

function queryParameters(query: Readonly<Record<string, string>>): Json[] {
  return Object.entries(query).map(([name, about]) => ({
    name,
    in: "query",
    description: about.replace(/^#/, ""),
    schema: { type: about.startsWith("#") ? "integer" : "string" },
  }));
}
