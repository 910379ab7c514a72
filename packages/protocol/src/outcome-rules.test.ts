import { outcomeFromGrpc, outcomeFromHttp, outcomeFromJsonRpc, retryAfterMs } from "./index.js";

describe("HTTP, protocol.md 3.2", () => {
  test.each([
    [200, "", { kind: "success" }],
    [200, '{"dtm_result":"SUCCESS"}', { kind: "success" }],
    [200, "no json", { kind: "success" }],
    [425, "later", { kind: "ongoing", reason: "later" }],
    [200, '{"dtm_result":"ONGOING"}', { kind: "ongoing", reason: '{"dtm_result":"ONGOING"}' }],
    [500, "still ONGOING", { kind: "ongoing", reason: "still" }],
    [409, "FAILURE, then ONGOING", { kind: "ongoing", reason: "FAILURE, then" }],
    [409, "", { kind: "failure", reason: "" }],
    [409, "no money", { kind: "failure", reason: "no money" }],
    [409, "no money FAILURE", { kind: "failure", reason: "no money" }],
    [409, "\tno money FAILURE\r\n", { kind: "failure", reason: "no money" }],
    [500, " \n", { kind: "unknown", message: "participant answered 500" }],
    [409, "no money FAILURE FAILURE", { kind: "failure", reason: "no money FAILURE" }],
    [409, "FAILURE", { kind: "failure", reason: "FAILURE" }],
    [200, '{"dtm_result":"FAILURE"}', { kind: "failure", reason: '{"dtm_result":"FAILURE"}' }],
    [500, "FAILURE of a disk", { kind: "failure", reason: "FAILURE of a disk" }],
    [500, "failure", { kind: "unknown", message: "failure" }],
    [201, "created", { kind: "unknown", message: "created" }],
    [204, "", { kind: "unknown", message: "participant answered 204" }],
    [404, "", { kind: "unknown", message: "participant answered 404" }],
  ] as const)("%s %j", (code, body, outcome) => expect(outcomeFromHttp(code, body)).toEqual(outcome));

  test("Retry-After goes with what is asked again, and with nothing else", () => {
    const headers = { "retry-after": "7" };
    expect(outcomeFromHttp(503, "", headers)).toMatchObject({ kind: "unknown", retryAfterMs: 7_000 });
    expect(outcomeFromHttp(425, "", headers)).toMatchObject({ kind: "ongoing", retryAfterMs: 7_000 });
    expect(outcomeFromHttp(409, "", headers)).toEqual({ kind: "failure", reason: "" });
    expect(outcomeFromHttp(200, "", headers)).toEqual({ kind: "success" });
  });
});

describe("gRPC, protocol.md 3.3", () => {
  test.each([
    [0, "", { kind: "success" }],
    [10, "ONGOING", { kind: "ongoing", reason: "ONGOING" }],
    [10, "still ONGOING", { kind: "failure", reason: "still ONGOING", grpcCode: 10 }],
    [10, "no money FAILURE", { kind: "failure", reason: "no money", grpcCode: 10 }],
    [10, "", { kind: "failure", reason: "", grpcCode: 10 }],
    [9, "later", { kind: "ongoing", reason: "later" }],
    [409, "no money", { kind: "failure", reason: "no money", grpcCode: 10 }],
    [425, "later", { kind: "ongoing", reason: "later" }],
    [13, "FAILURE", { kind: "unknown", message: "rpc error: code = Internal desc = FAILURE", grpcCode: 13 }],
    [14, "gone", { kind: "unknown", message: "rpc error: code = Unavailable desc = gone", grpcCode: 14 }],
    [500, "x", { kind: "unknown", message: "rpc error: code = Code(500) desc = x", grpcCode: 500 }],
  ] as const)("%s %j", (code, message, outcome) => expect(outcomeFromGrpc(code, message)).toEqual(outcome));
});

describe("JSON-RPC, protocol.md 3.4 and 9 (Q3, Q25)", () => {
  const coded = (code: unknown): string => JSON.stringify({ jsonrpc: "2.0", id: "1", error: { code, message: "m" } });
  test.each([
    [200, '{"result":{}}', "success"],
    [200, '{"result":{},"error":null}', "success"],
    [200, coded(-32901), "failure"],
    [200, coded(-32902), "ongoing"],
    [200, coded(-32603), "unknown"],
    [200, coded("-32901"), "unknown"],
    [200, '{"error":"text"}', "unknown"],
    [200, '{"error":{"code":-32603,"message":"FAILURE"}}', "failure"],
    [200, '{"result":"ONGOING"}', "ongoing"],
    [500, '{"result":{}}', "unknown"],
    [409, '{"result":{}}', "failure"],
    [425, "", "ongoing"],
    [200, "", "unknown"],
    [200, "<html>", "unknown"],
    [200, "[]", "unknown"],
    [200, "null", "unknown"],
  ] as const)("%s %j is %s", (code, body, kind) => expect(outcomeFromJsonRpc(code, body).kind).toBe(kind));

  test("the reason is the whole reply, as over HTTP", () =>
    expect(outcomeFromJsonRpc(200, coded(-32901))).toEqual({ kind: "failure", reason: coded(-32901) }));
});

describe("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  test.each([
    [undefined, null],
    ["0", null],
    ["120", 120_000],
    [" 3 ", 3_000],
    [["4", "5"], 4_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:00:00 GMT", null],
    ["-1", null],
    ["1.5", null],
    ["99999999999999", null],
    ["Thursday or so", null],
  ])("%j is %s ms", (header, expected) => expect(retryAfterMs(header, now)).toBe(expected));
});
