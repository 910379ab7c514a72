/** The OpenAPI document: well-formed, complete against the route table, and true of real requests and answers. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { DESCRIBED_PATHS, openApiDocument, openApiPath } from "../../src/transports/http/openapi.js";
import { SCHEMAS } from "../../src/transports/http/openapi-schemas.js";
import { ROUTES } from "../../src/transports/http/routes.js";
import { REPLIES } from "../kit/scripted-participants.js";
import { parsed, type Reply, WireServer } from "./http-kit.js";

/** The parts of OpenAPI 3.1's structure that this document uses, strict about everything else. */
const REFERENCE = {
  type: "object",
  required: ["schema"],
  properties: { schema: { $ref: "#/$defs/schema" } },
  additionalProperties: false,
};
const STRUCTURE = {
  $defs: {
    schema: { $ref: "https://json-schema.org/draft/2020-12/schema" },
    content: { type: "object", minProperties: 1, propertyNames: { pattern: "^[a-z]+/[a-z]+$" }, additionalProperties: REFERENCE },
    parameter: {
      type: "object",
      required: ["name", "in", "schema"],
      properties: {
        name: { type: "string", minLength: 1 },
        in: { enum: ["path", "query"] },
        description: { type: "string" },
        required: { type: "boolean" },
        schema: { $ref: "#/$defs/schema" },
      },
      anyOf: [{ properties: { in: { const: "query" } } }, { required: ["required"], properties: { required: { const: true } } }],
      additionalProperties: false,
    },
    operation: {
      type: "object",
      required: ["operationId", "summary", "responses"],
      properties: {
        operationId: { type: "string", pattern: "^[A-Za-z]+$" },
        summary: { type: "string", minLength: 1 },
        security: {
          type: "array",
          items: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } },
        },
        parameters: { type: "array", items: { $ref: "#/$defs/parameter" }, uniqueItems: true },
        requestBody: {
          type: "object",
          required: ["content"],
          properties: { required: { type: "boolean" }, content: { $ref: "#/$defs/content" } },
          additionalProperties: false,
        },
        responses: {
          type: "object",
          required: ["200"],
          propertyNames: { pattern: "^[1-5]\\d\\d$" },
          additionalProperties: {
            type: "object",
            required: ["description"],
            properties: { description: { type: "string", minLength: 1 }, content: { $ref: "#/$defs/content" } },
            additionalProperties: false,
          },
        },
      },
      additionalProperties: false,
    },
  },
  type: "object",
  required: ["openapi", "info", "paths"],
  properties: {
    openapi: { const: "3.1.0" },
    info: {
      type: "object",
      required: ["title", "version"],
      properties: { title: { type: "string" }, version: { type: "string" }, description: { type: "string" } },
      additionalProperties: false,
    },
    paths: {
      type: "object",
      propertyNames: { pattern: "^/" },
      additionalProperties: {
        type: "object",
        properties: {
          get: { $ref: "#/$defs/operation" },
          post: { $ref: "#/$defs/operation" },
          delete: { $ref: "#/$defs/operation" },
        },
        minProperties: 1,
        additionalProperties: false,
      },
    },
    components: {
      type: "object",
      properties: {
        schemas: { type: "object", propertyNames: { pattern: "^[A-Za-z]+$" }, additionalProperties: { $ref: "#/$defs/schema" } },
        securitySchemes: {
          type: "object",
          additionalProperties: {
            type: "object",
            properties: { type: { const: "http" }, scheme: { const: "bearer" } },
            required: ["type", "scheme"],
          },
        },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};

const document = JSON.parse(JSON.stringify(openApiDocument("v1.2.3")));

test("has the structure of OpenAPI 3.1", () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  expect([ajv.validate(STRUCTURE, document), ajv.errors]).toEqual([true, null]);
  const broken = structuredClone(document);
  delete broken.paths["/api/dtmsvr/submit"].post.responses["200"];
  expect(ajv.validate(STRUCTURE, broken)).toBe(false);
});

test("names every route, and nothing else", () => {
  const described = Object.entries(document.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
  const routed = ROUTES.map(({ method, path }) => `${method === "ANY" ? "get" : method.toLowerCase()} ${openApiPath(path)}`);
  expect(described.sort()).toEqual(routed.sort());
  expect([...DESCRIBED_PATHS].sort()).toEqual([...new Set(ROUTES.map(({ path }) => openApiPath(path)))].sort());
});

test("gives every operation a name of its own, and points only at schemas it has", () => {
  const text = JSON.stringify(document);
  const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const names = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name));
  expect([...names].filter((name) => !(String(name) in SCHEMAS))).toEqual([]);
});

test("every route but a probe may say 503", () => {
  const silent = ROUTES.filter(({ exposure, method, path }) => {
    const { responses } = document.paths[openApiPath(path)][method === "ANY" ? "get" : method.toLowerCase()];
    return exposure !== "probe" && responses["503"] === undefined;
  });
  expect(silent.map(({ path }) => path)).toEqual([]);
});

describe("is true of", () => {
  let server: WireServer;
  const validators = new Map<string, ValidateFunction>();
  beforeAll(async () => {
    server = await WireServer.started();
    const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { "date-time": /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ } });
    ajv.addSchema({ $id: "doc", components: document.components });
    for (const name of Object.keys(SCHEMAS)) validators.set(name, ajv.compile({ $ref: `doc#/components/schemas/${name}` }));
  });
  afterAll(() => server.stop());

  /** The schema that the document gives this answer. */
  const check = (method: string, path: string, reply: Reply) => {
    const content = document.paths[path][method].responses[String(reply.status)]?.content;
    const name = String(content?.["application/json"].schema.$ref).replace("#/components/schemas/", "");
    const validate = validators.get(name);
    if (validate === undefined) throw new Error(`${method} ${path} says nothing about ${reply.status}: ${reply.text}`);
    expect([reply.text, validate(parsed(reply)), validate.errors]).toEqual([reply.text, true, null]);
  };

  test("the answers of a life of requests", async () => {
    server.participants.script("http://no", REPLIES.refuse);
    const post = async (name: string, body: unknown) => check("post", `/api/dtmsvr/${name}`, await server.post(name, body));
    const get = async (path: string, search = "") => check("get", path, await server.get(path + search));
    await post("prepare", { gid: "tcc", trans_type: "tcc", branch_headers: { a: "b" }, timeout_to_fail: 5 });
    await post("registerBranch", { gid: "tcc", trans_type: "tcc", branch_id: "01", confirm: "http://c", data: "x" });
    await post("registerBranch", "{");
    await post("submit", { gid: "tcc", trans_type: "tcc", wait_result: true });
    await post("submit", { gid: "tcc", trans_type: "tcc" });
    await post("submit", { gid: "no", trans_type: "saga", steps: [{ action: "http://no" }], payloads: [""], wait_result: true });
    await post("submit", "{");
    await post("submit", Buffer.alloc(5 * 1024 * 1024));
    await post("abort", { gid: "no", trans_type: "tcc" });
    await post("forceStop", { gid: "nobody" });
    await post("resetNextCronTime", { gid: "tcc" });
    await post("prepareWorkflow", { gid: "wf", trans_type: "workflow", query_prepared: "http://q" });
    await post("registerBranch", { gid: "wf", trans_type: "workflow", branch_id: "01", op: "action", status: "done" });
    for (const path of ["/api/ping", "/healthz", "/readyz", "/api/openapi.json", "/api/dtmsvr/version", "/api/dtmsvr/newGid"])
      await get(path);
    for (const search of ["?gid=tcc", "?gid=no", "?gid=nobody", ""]) await get("/api/dtmsvr/query", search);
    for (const search of ["", "?gid=no", "?gid=nobody", "?limit=x"]) await get("/api/dtmsvr/all", search);
    await get("/api/dtmsvr/resetCronTime");
    await get("/api/dtmsvr/subscribe", "?topic=t&url=http://a");
    await get("/api/dtmsvr/subscribe");
    await get("/api/dtmsvr/queryKV");
    await get("/api/dtmsvr/scanKV");
    await get("/api/dtmsvr/unsubscribe", "?topic=t&url=http://a");
    check("delete", "/api/dtmsvr/topic/{topicName}", await server.send("DELETE", "topic/t", null));
    check("post", "/api/json-rpc", await server.post("/api/json-rpc", { jsonrpc: "2.0", id: "1", method: "newGid" }));
    check("post", "/api/json-rpc", await server.post("/api/json-rpc", "{"));
    check("get", "/api/dtmsvr/newGid", await server.get("newGid", { headers: { Origin: "http://evil.example" } }));
  });

  test.each([
    [
      "Python's nulls",
      { gid: "g", trans_type: "msg", steps: null, payloads: null, custom_data: null, protocol: null, branch_headers: null },
    ],
    [
      "PHP's lists",
      { gid: "g", trans_type: "saga", steps: [], payloads: [], branch_headers: [], req_extra: [], timeout_to_fail: "35" },
    ],
    [
      "Go's saga",
      {
        gid: "g",
        trans_type: "saga",
        steps: [{ action: "a", compensate: "b" }],
        payloads: ["{}"],
        concurrent: false,
        protocol: "",
      },
    ],
  ])("%s", (_name, body) => {
    const validate = validators.get("Transaction");
    expect([validate?.(body), validate?.errors]).toEqual([true, null]);
  });

  test.each([
    [true, { gid: "g", trans_type: "workflow", branch_id: "01", op: "action", status: "succeed", data: "result" }],
    [true, { gid: "g", trans_type: "workflow", branch_id: "01", op: "commit", status: "failed", data: null }],
    [false, { gid: "g", trans_type: "workflow", branch_id: "01", op: "action", status: "done" }],
    [false, { gid: "g", trans_type: "workflow", branch_id: "01", op: "action" }],
    [true, { gid: "g", trans_type: "tcc", branch_id: "01", status: "prepared", confirm: "", cancel: null }],
    [true, { gid: "g", trans_type: "xa", branch_id: "01", url: "http://a", status: null }],
  ])("a branch's values: %p for %j", (fits, body) => {
    expect(validators.get("Branch")?.(body)).toBe(fits);
  });
});
