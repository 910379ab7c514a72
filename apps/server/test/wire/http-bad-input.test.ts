/** Malformed, oversized and hostile requests get a clear answer and change nothing (promise 7, R17, R22). */
import { connect } from "node:net";
import { PATHS, parsed, problem, WireServer } from "./http-kit.js";

const saga = (fields: object) => ({
  gid: "bad",
  trans_type: "saga",
  steps: [{ action: "http://a" }],
  payloads: ["{}"],
  ...fields,
});
const TEN_YEARS = 10 * 366 * 86_400;

const BODIES: readonly (readonly [name: string, body: unknown, message: RegExp])[] = [
  ["nothing", "", /^the body is not JSON/],
  ["half a body", '{"gid":"bad"', /^the body is not JSON/],
  ["a form", "gid=bad", /^the body is not JSON/],
  ["a list", [1], /^the body must be an object, found a list$/],
  ["a text", '"gid"', /^the body must be an object, found the text "gid"$/],
  ["null", "null", /^gid is empty/],
  ["no gid", { trans_type: "saga" }, /^gid is empty/],
  ["a gid of 129 characters", saga({ gid: "g".repeat(129) }), /^gid is longer than 128 characters$/],
  ["a gid with NUL", saga({ gid: "g\0g" }), /^gid contains a NUL/],
  ["a gid that isn't a text", saga({ gid: 7 }), /^gid must be a text, found 7$/],
  ["an unknown type", saga({ trans_type: "sagas" }), /^unknown trans type: 'sagas'/],
  ["no type", saga({ trans_type: null }), /^unknown trans type: ''/],
  ["a protocol over its column", saga({ protocol: "p".repeat(46) }), /^protocol is longer than 45 characters$/],
  ["more steps than payloads", saga({ payloads: [] }), /index out of range/],
  ["steps that aren't a list", saga({ steps: {} }), /^steps must be a list, found an object$/],
  ["a step that isn't an object", saga({ steps: ["http://a"] }), /^steps\[0\] must be an object/],
  ["an action that isn't a text", saga({ steps: [{ action: 1 }] }), /^steps\[0\]\.action must be a text, found 1$/],
  ["a payload that isn't serialised", saga({ payloads: [{ amount: 30 }] }), /^payloads\[0\] must be a text, found an object$/],
  ["a flag that isn't one", saga({ wait_result: "yes" }), /^wait_result must be true or false, found the text "yes"$/],
  ["a negative timeout", saga({ timeout_to_fail: -1 }), /^timeout_to_fail must be/],
  ["a negative timeout as text", saga({ timeout_to_fail: "-1" }), /^timeout_to_fail must be/],
  ["an infinite interval", '{"gid":"bad","trans_type":"tcc","retry_interval":1e999}', /^retry_interval must be/],
  ["half a second", saga({ request_timeout: 0.5 }), /^request_timeout must be a whole number, found 0.5$/],
  ["a number that isn't one", saga({ retry_limit: "3x" }), /^retry_limit must be a whole number, found the text "3x"$/],
  ["over ten years", saga({ timeout_to_fail: TEN_YEARS + 1 }), /over ten years/],
  ["a delay over ten years", saga({ trans_type: "msg", custom_data: `{"delay":${TEN_YEARS + 1}}` }), /over ten years/],
  ["a negative delay", saga({ trans_type: "msg", custom_data: '{"delay":-1}' }), /delay/],
  ["custom_data that isn't a text", saga({ custom_data: {} }), /^custom_data must be a text, found an object$/],
  ["custom_data that isn't JSON", saga({ custom_data: "{" }), /^custom_data is not JSON/],
  ["custom_data over its column", saga({ custom_data: JSON.stringify({ x: "x".repeat(1024) }) }), /^custom_data is longer/],
  ["orders out of range", saga({ custom_data: '{"concurrent":true,"orders":{"0":[5]}}' }), /orders names step 5/],
  ["orders in a circle", saga({ custom_data: '{"concurrent":true,"orders":{"0":[0]}}' }), /cycle/],
  ["a header name that HTTP refuses", saga({ branch_headers: { "a b": "x" } }), /^branch_headers has a name or value/],
  ["a header value that HTTP refuses", saga({ branch_headers: { a: "x\r\ny: z" } }), /^branch_headers has a name or value/],
  ["a header that isn't a text", saga({ branch_headers: { a: 1 } }), /^branch_headers\.a must be a text, found 1$/],
  ["headers as a list", saga({ branch_headers: ["a"] }), /^branch_headers must be a map of texts, found a list$/],
  ["a query_prepared over its column", saga({ query_prepared: `http://${"x".repeat(1024)}` }), /^query_prepared is longer/],
  ["a payload over 1 MiB", saga({ payloads: ["x".repeat(1024 * 1024 + 1)] }), /at most 1048576/],
  ["a million payloads", saga({ payloads: Array(1_000_000).fill("") }), /at most 10000 payloads, found 1000000$/],
  ["an unknown topic", saga({ trans_type: "msg", steps: [{ action: "topic://nobody" }] }), /^topic not found$/],
  [
    "an object where a list is, deep",
    `{"gid":"bad","trans_type":"saga","steps":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    /^steps\[0\] must be/,
  ],
];

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
    await server.post("prepare", { gid: "stored", trans_type: "tcc" });
  });
  afterAll(() => server.stop());

  describe.each(["submit", "prepare"])("%s", (route) => {
    test.each(BODIES)("refuses %s", async (_name, body, message) => {
      const before = await server.everything();
      const reply = await server.post(route, body);
      expect([reply.status, parsed(reply)]).toEqual([500, { message: expect.stringMatching(message) }]);
      expect(await server.everything()).toEqual(before);
    });
  });

  test.each([
    ["no gid", { trans_type: "tcc", branch_id: "01" }, /^gid is empty/],
    ["a list", ["gid"], /^the body must be an object/],
    ["data over 1 MiB", { gid: "stored", trans_type: "tcc", branch_id: "01", data: "x".repeat(1024 * 1024 + 1) }, /1 MiB/],
    [
      "a URL over its column",
      { gid: "stored", trans_type: "tcc", branch_id: "01", confirm: "x".repeat(1025) },
      /^confirm is longer/,
    ],
    [
      "an unknown workflow status",
      { gid: "stored", trans_type: "workflow", branch_id: "01", status: "done" },
      /found status 'done'/,
    ],
  ])("registerBranch refuses %s", async (_name, body, message) => {
    const before = await server.everything();
    const reply = await server.post("registerBranch", body);
    expect([reply.status, parsed(reply)]).toEqual([500, { message: expect.stringMatching(message) }]);
    expect(await server.everything()).toEqual(before);
  });

  test("names of prototypes are names like any other", async () => {
    const hostile =
      '{"__proto__":{"gid":"x","polluted":true},"constructor":{"prototype":{"polluted":true}},"gid":"proto","trans_type":"tcc",' +
      '"branch_headers":{"__proto__":"1","constructor":"2","toString":"3"},"req_extra":{"__proto__":"4"}}';
    expect(await server.post("prepare", hostile)).toMatchObject({ status: 200 });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    const { transaction } = parsed(await server.get("query?gid=proto")) as { transaction: { options: string } };
    expect(transaction.options).toContain('"branch_headers":{"__proto__":"1","constructor":"2","toString":"3"}');
    const without = '{"gid":"proto-2","trans_type":"tcc","__proto__":{"branch_headers":{"x":"1"},"wait_result":true}}';
    await server.post("prepare", without);
    expect((await server.store.find("proto-2"))?.transaction.options).toMatchObject({ waitResult: false, branchHeaders: {} });
  });

  describe("a body over 4 MiB", () => {
    const big = Buffer.alloc(20 * 1024 * 1024, " ");
    const refused = { ...problem("the body is over 4194304 bytes (4 MiB)", 413) };

    test("is refused by its length, and the answer arrives", async () => {
      expect(await server.post("submit", big)).toMatchObject(refused);
    });

    test("is refused when its length was not told", async () => {
      expect(await server.send("POST", "submit", big, { headers: { "Transfer-Encoding": "chunked" } })).toMatchObject(refused);
    });

    test("is not even sent when the client asks first", async () => {
      const answer = await raw(server, [
        `POST /api/dtmsvr/submit HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${big.length}\r\n\r\n`,
      ]);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    });

    test("of exactly 4 MiB is read", async () => {
      const body = JSON.stringify({ gid: "exact", trans_type: "tcc" });
      const exact = body.padEnd(4 * 1024 * 1024, " ");
      expect(await server.post("prepare", exact)).toMatchObject({ status: 200 });
      expect(await server.post("prepare", `${exact} `)).toMatchObject({ status: 413 });
    });
  });

  test("a client that asks before it sends is told to go on", async () => {
    const body = '{"gid":"continue","trans_type":"tcc"}';
    const head = `POST /api/dtmsvr/prepare HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await raw(server, [head, body]);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  });

  test("a client that leaves in the middle of its body changes nothing", async () => {
    const before = await server.everything();
    await new Promise<void>((resolve) => {
      const socket = connect(server.listener.port, "127.0.0.1", () => {
        socket.write(
          'POST /api/dtmsvr/prepare HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"gid":"half","trans_type":"tcc"}',
          () => socket.destroy(),
        );
      });
      socket.on("close", () => resolve());
    });
    expect(await server.get("newGid")).toMatchObject({ status: 200 });
    expect(await server.everything()).toEqual(before);
  });

  test("several requests in one segment are answered in order", async () => {
    const get = "GET /api/dtmsvr/query?gid= HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const answer = await raw(server, [`${get}GET /api/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`]);
    expect(answer).toMatch(/no gid specified[\s\S]*pong/);
  });
});

/** Speaks by hand: sends each part once something came back for the one before, and returns all that was answered. */
function raw(server: WireServer, parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const left = [...parts];
    let answer = "";
    const socket = connect(server.listener.port, "127.0.0.1", () => socket.write(left.shift() ?? ""));
    socket.on("data", (chunk) => {
      answer += chunk.toString();
      const next = left.shift();
      if (next !== undefined) socket.write(next);
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}
