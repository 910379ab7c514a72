/** SDKs of Python and C# write null for whatever wasn't said, Java writes a key twice (protocol.md 1.3): field by field, over HTTP and JSON-RPC. */
import { DONE, PATHS, parsed, WireServer } from "./http-kit.js";

const FIELDS = [
  "steps",
  "payloads",
  "query_prepared",
  "protocol",
  "custom_data",
  "wait_result",
  "timeout_to_fail",
  "request_timeout",
  "retry_interval",
  "branch_headers",
  "concurrent",
  "retry_limit",
  "rollback_reason",
  "req_extra",
] as const;

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
  });
  afterAll(() => server.stop());

  const rpc = async (method: string, params: unknown): Promise<unknown> =>
    parsed(await server.post("/api/json-rpc", { jsonrpc: "2.0", id: "no-use", method, params }));
  const OK = { jsonrpc: "2.0", id: "no-use", error: null, result: null };

  describe.each(FIELDS)("%s: null", (field) => {
    test.each(["saga", "msg", "tcc", "xa"])("in prepare, submit and abort of a %s", async (type) => {
      const body = (gid: string) => ({ gid: `${gid}-${type}-${field}`, trans_type: type, [field]: null });
      expect(await server.post("prepare", body("p"))).toMatchObject(DONE);
      expect(await server.post("submit", body("p"))).toMatchObject(DONE);
      expect(await server.post("submit", body("s"))).toMatchObject(DONE);
      expect(await rpc("prepare", body("rp"))).toEqual(OK);
      expect(await rpc("submit", body("rp"))).toEqual(OK);
      expect(await rpc("submit", body("rs"))).toEqual(OK);
      if (type === "saga") return;
      await server.post("prepare", body("a"));
      expect(await server.post("abort", body("a"))).toMatchObject(DONE);
      await rpc("prepare", body("ra"));
      expect(await rpc("abort", body("ra"))).toEqual(OK);
    });

    test("in prepareWorkflow", async () => {
      const gid = `wf-${field}`;
      const reply = await server.post("prepareWorkflow", { gid, trans_type: "workflow", [field]: null });
      expect([reply.status, parsed(reply)]).toMatchObject([200, { transaction: { gid, status: "prepared" }, progresses: [] }]);
    });
  });

  test("trans_type: null in prepareWorkflow is a workflow, in abort nobody's business", async () => {
    const reply = await server.post("prepareWorkflow", { gid: "typeless-wf", trans_type: null });
    expect(parsed(reply)).toMatchObject({ transaction: { trans_type: "workflow" } });
    await server.post("prepare", { gid: "typeless", trans_type: "tcc" });
    expect(await server.post("abort", { gid: "typeless", trans_type: null })).toMatchObject(DONE);
  });

  test.each([
    ["a step", { steps: [null, { action: "http://a" }], payloads: ["", "1"] }],
    ["a step's fields", { steps: [{ action: null, compensate: null, data: null }, { action: "http://a" }], payloads: ["", "1"] }],
    ["a payload", { steps: [{ action: "" }, { action: "http://a" }], payloads: [null, "1"] }],
  ])("%s that is null says nothing", async (name, body) => {
    const rows = ["01 action  succeed", "02 action http://a succeed"];
    const msg = { trans_type: "msg", wait_result: true, ...body };
    expect(await server.post("submit", { gid: name, ...msg })).toMatchObject(DONE);
    expect(await server.rows(name)).toEqual(rows);
    expect(await rpc("submit", { gid: `rpc ${name}`, ...msg })).toEqual(OK);
    expect(await server.rows(`rpc ${name}`)).toEqual(rows);
  });

  describe("registerBranch", () => {
    const register = {
      HTTP: async (body: object) => (await server.post("registerBranch", body)).text === DONE.text,
      "JSON-RPC": async (body: object) => JSON.stringify(await rpc("registerBranch", body)) === JSON.stringify(OK),
    };
    const prepared = async (type: string, gid: string): Promise<string> => {
      const path = type === "workflow" ? "prepareWorkflow" : "prepare";
      expect((await server.post(path, { gid, trans_type: type })).status).toBe(200);
      return gid;
    };

    test.each(["HTTP", "JSON-RPC"] as const)("over %s: null is an empty text", async (way) => {
      const over = register[way];
      const tcc = await prepared("tcc", `tcc ${way}`);
      expect(await over({ gid: tcc, trans_type: "tcc", branch_id: "01", confirm: "http://c", cancel: null, data: null })).toBe(
        true,
      );
      expect(await server.rows(tcc)).toEqual(["01 cancel  prepared", "01 confirm http://c prepared"]);
      const xa = await prepared("xa", `xa ${way}`);
      expect(await over({ gid: xa, trans_type: "xa", branch_id: "01", url: null, op: null, status: null })).toBe(true);
      expect(await server.rows(xa)).toEqual(["01 rollback  prepared", "01 commit  prepared"]);
      const workflow = await prepared("workflow", `workflow ${way}`);
      const step = { gid: workflow, trans_type: "workflow", branch_id: "01", status: "succeed", op: null, data: null };
      expect(await over(step)).toBe(true);
      expect(await server.rows(workflow)).toEqual(["01   succeed"]);
      const stored = await server.store.find(workflow);
      expect(stored?.branches[0]?.payload).toHaveLength(0);
    });

    test("of a workflow without a status is refused", async () => {
      const gid = await prepared("workflow", "statusless");
      const reply = await server.post("registerBranch", {
        gid,
        trans_type: "workflow",
        branch_id: "01",
        op: "action",
        status: null,
      });
      expect([reply.status, parsed(reply)]).toEqual([
        500,
        { message: "a workflow branch is prepared, succeed or failed, found status ''" },
      ]);
    });

    test("a key twice: the last one counts", async () => {
      const gid = await prepared("tcc", "twice");
      const body = `{"gid":"none","gid":"${gid}","trans_type":"tcc","branch_id":"09","branch_id":"01","confirm":"http://x","confirm":"http://c"}`;
      expect(await server.post("registerBranch", body)).toMatchObject(DONE);
      expect(await server.rows(gid)).toEqual(["01 cancel  prepared", "01 confirm http://c prepared"]);
    });
  });

  test("abort with a key twice: the last one counts", async () => {
    await server.post("prepare", { gid: "twice-abort", trans_type: "tcc" });
    const body =
      '{"gid":"none","gid":"twice-abort","trans_type":"saga","trans_type":"tcc","rollback_reason":"a","rollback_reason":"b"}';
    expect(await server.post("abort", body)).toMatchObject(DONE);
    expect((await server.store.find("twice-abort"))?.transaction.rollbackReason).toBe("b");
  });

  test("JSON-RPC with a key twice: the last one counts", async () => {
    const params = '{"gid":"none","gid":"twice-rpc","trans_type":"tcc","trans_type":"xa"}';
    const body = `{"jsonrpc":"2.0","id":"a","id":"b","method":"newGid","method":"prepare","params":${params}}`;
    expect(parsed(await server.post("/api/json-rpc", body))).toEqual({ ...OK, id: "b" });
    expect((await server.store.find("twice-rpc"))?.transaction.type).toBe("xa");
  });

  test("prepareWorkflow of one that failed shows why (protocol.md 1.10)", async () => {
    const workflow = { gid: "wf-failed", trans_type: "workflow" };
    await server.post("prepareWorkflow", workflow);
    const end = { status: "failed", rollback_reason: "no stock FAILURE", result: "cmVzdWx0" };
    expect(await server.post("submit", { ...workflow, req_extra: end })).toMatchObject(DONE);
    expect(parsed(await server.post("prepareWorkflow", workflow))).toMatchObject({ transaction: end });
  });
});
