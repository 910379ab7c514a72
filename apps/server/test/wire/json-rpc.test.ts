/** `POST /api/json-rpc` (protocol.md 1.13): always four keys, dtm's codes, and 200 unless the request can't be parsed. */
import { REPLIES } from "../kit/scripted-participants.js";
import { PATHS, parsed, WireServer } from "./http-kit.js";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
  });
  afterAll(() => server.stop());

  const call = async (method: string, params: unknown, envelope: object = {}) => {
    const reply = await server.post("/api/json-rpc", { jsonrpc: "2.0", id: "no-use", method, params, ...envelope });
    return { status: reply.status, body: parsed(reply) };
  };
  const result = (value: unknown, id: unknown = "no-use") => ({
    status: 200,
    body: { jsonrpc: "2.0", id, error: null, result: value },
  });
  const error = (code: number, message: unknown, { id = "no-use", status = 200 }: { id?: unknown; status?: number } = {}) => ({
    status,
    body: { jsonrpc: "2.0", id, error: { code, message }, result: null },
  });

  test("newGid has no dtm_result; PHP sends its params as an empty list", async () => {
    expect(await call("newGid", [])).toEqual(result({ gid: expect.stringMatching(/^\w{22}$/) }));
    expect(await call("newGid", undefined)).toEqual(result({ gid: expect.any(String) }));
  });

  test("a tcc from prepare to its end", async () => {
    const tcc = { gid: "rpc-tcc", trans_type: "tcc" };
    expect(await call("prepare", tcc)).toEqual(result(null));
    const branch = { ...tcc, branch_id: "01", data: "{}", confirm: "http://c", cancel: "http://x", context: [] };
    expect(await call("registerBranch", branch)).toEqual(result(null));
    expect(await call("submit", { ...tcc, wait_result: true })).toEqual(result(null));
    expect(await server.rows("rpc-tcc")).toEqual(["01 cancel http://x prepared", "01 confirm http://c succeed"]);
    expect((await server.store.find("rpc-tcc"))?.transaction.protocol).toBe("http");
  });

  test("an abort keeps its reason, and a protocol of its own", async () => {
    await call("prepare", { gid: "rpc-abort", trans_type: "xa", protocol: "json-rpc" });
    expect(await call("abort", { gid: "rpc-abort", trans_type: "xa", rollback_reason: "why" })).toEqual(result(null));
    expect((await server.store.find("rpc-abort"))?.transaction).toMatchObject({ rollbackReason: "why", protocol: "json-rpc" });
  });

  test("the gid stays as written (Q48)", async () => {
    await call("prepare", { gid: "a;b", trans_type: "tcc" });
    expect(await server.status("a;b")).toBe("prepared");
  });

  test("a failure is -32901", async () => {
    const end = { gid: "rpc-twice", trans_type: "saga", wait_result: true };
    await call("submit", end);
    expect(await call("submit", end)).toEqual(error(-32901, "current status 'succeed', cannot sumbmit. FAILURE"));
  });

  test("everything else is -32603, ongoing included", async () => {
    server.participants.script("http://rpc-ongoing", REPLIES.ongoing);
    const xa = { gid: "rpc-ongoing", trans_type: "xa", wait_result: true };
    await call("prepare", xa);
    await call("registerBranch", { ...xa, branch_id: "01", url: "http://rpc-ongoing" });
    expect(await call("submit", xa)).toEqual(error(-32603, "ONGOING"));
    expect(await call("abort", { gid: "nobody" })).toEqual(error(-32603, "no TransGlobal with gid: nobody found"));
    expect(await call("submit", null)).toEqual(error(-32603, expect.stringContaining("gid is empty")));
    expect(await call("submit", "text")).toEqual(error(-32603, expect.stringContaining("must be an object")));
  });

  test.each(["query", "NewGid", "constructor", ""])("method %p is unknown", async (method) => {
    expect(await call(method, {})).toEqual(error(-32601, `Method not found: ${method}`));
  });

  test.each([
    ["no id", { id: undefined }, ""],
    ["a null id", { id: null }, ""],
    ["an empty id", { id: "" }, ""],
    ["another version", { jsonrpc: "1.0" }, "no-use"],
    ["no version", { jsonrpc: undefined }, "no-use"],
  ])("%s is a bad request", async (_name, envelope, id) => {
    expect(await call("newGid", {}, envelope)).toEqual(error(-32600, expect.stringMatching(/^Bad json request: /), { id }));
  });

  test("a number as id comes back as it was", async () => {
    expect(await call("newGid", {}, { id: 7 })).toEqual(result({ gid: expect.any(String) }, 7));
  });

  test.each([
    ["half a body", '{"jsonrpc":"2.0"'],
    ["nothing", ""],
    ["a batch", '[{"jsonrpc":"2.0","id":"1","method":"newGid"}]'],
    ["an id that is an object", '{"jsonrpc":"2.0","id":{},"method":"newGid"}'],
  ])("%s can't be parsed: 400, in JSON", async (_name, body) => {
    const before = await server.everything();
    const reply = await server.post("/api/json-rpc", body);
    expect({ status: reply.status, body: parsed(reply) }).toEqual(
      error(-32700, expect.stringMatching(/^Parse json error: /), { id: "", status: 400 }),
    );
    expect(reply.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(await server.everything()).toEqual(before);
  });

  test("a body over 4 MiB is a 413 here too", async () => {
    expect((await server.post("/api/json-rpc", Buffer.alloc(5 * 1024 * 1024, " "))).status).toBe(413);
  });
});
