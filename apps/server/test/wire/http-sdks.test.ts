/** Bodies as the SDKs of other languages send them (protocol.md 6.4, 6.7), byte for byte: each must do what its SDK means. */
import { NO_OPTIONS } from "../../src/engine/transaction.js";
import { DONE, PATHS, parsed, WireServer } from "./http-kit.js";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
  });
  afterAll(() => server.stop());

  const find = async (gid: string) => {
    const loaded = await server.store.find(gid);
    if (loaded === null) throw new Error(`${gid} is not stored`);
    return { ...loaded, payloads: loaded.branches.map(({ payload }) => Buffer.from(payload).toString()) };
  };

  test("Go's saga: options, concurrent and an empty protocol always", async () => {
    const body =
      '{"gid":"go-saga","trans_type":"saga","custom_data":"{\\"concurrent\\":true,\\"orders\\":{\\"1\\":[0]}}","wait_result":true,' +
      '"timeout_to_fail":35,"retry_interval":10,"branch_headers":{"test_header":"test"},"concurrent":false,' +
      '"steps":[{"action":"http://out","compensate":"http://out-com"},{"action":"http://in","compensate":"http://in-com"}],' +
      '"payloads":["{\\"amount\\":30}","{\\"amount\\":30}"],"protocol":""}';
    expect(await server.post("submit", body)).toMatchObject(DONE);
    const { transaction, payloads } = await find("go-saga");
    expect(transaction).toMatchObject({ status: "succeed", protocol: "http", options: { timeoutToFail: 35, retryInterval: 10 } });
    expect({ ...transaction.options.branchHeaders }).toEqual({ test_header: "test" });
    expect(payloads).toEqual(Array(4).fill('{"amount":30}'));
    expect(await server.rows("go-saga")).toEqual([
      "01 compensate http://out-com prepared",
      "01 action http://out succeed",
      "02 compensate http://in-com prepared",
      "02 action http://in succeed",
    ]);
  });

  test("Java's saga: subType twice, unknown keys, all options", async () => {
    const body =
      '{"subType":"OperatorParam","gid":"java-saga","trans_type":"saga","steps":[{"action":"http://a","compensate":"http://b"}],' +
      '"payloads":["{}"],"custom_data":null,"wait_result":true,"timeout_to_fail":0,"retry_interval":0,"passthrough_headers":[],' +
      '"branch_headers":{},"subType":null}';
    expect(await server.post("submit", body, { headers: { "Content-Type": "application/json; charset=utf-8" } })).toMatchObject(
      DONE,
    );
    expect((await find("java-saga")).transaction).toMatchObject({ status: "succeed", options: { waitResult: true } });
  });

  test("Java's tcc: newGid, ping and a registration with a status", async () => {
    expect(parsed(await server.get("newGid"))).toMatchObject({ dtm_result: "SUCCESS" });
    expect(await server.get("/api/ping")).toMatchObject({ status: 200, text: '{"msg":"pong"}' });
    await server.post("prepare", '{"subType":"OperatorParam","gid":"java-tcc","trans_type":"tcc","subType":null}');
    const branch =
      '{"gid":"java-tcc","branch_id":"01","trans_type":"tcc","status":"prepared","data":"{\\"a\\":1}","try":"http://t","confirm":"http://c","cancel":"http://x"}';
    expect(await server.post("registerBranch", branch)).toMatchObject(DONE);
    expect((await find("java-tcc")).payloads).toEqual(['{"a":1}', '{"a":1}']);
  });

  test("Python's msg: null for everything it has nothing to say about", async () => {
    const body =
      '{"gid": "py-msg", "trans_type": "msg", "custom_data": null, "query_prepared": null, "protocol": null, "wait_result": null, ' +
      '"timeout_to_fail": null, "request_timeout": 8, "retry_interval": null, "retry_limit": null, "branch_headers": null, ' +
      '"passthrough_headers": [], "concurrent": null, "rollback_reason": null, "req_extra": null, ' +
      '"steps": [{"action": "http://a", "compensate": null, "data": null}], "payloads": ["{\\"x\\": 1}"]}';
    expect(await server.post("prepare", body)).toMatchObject(DONE);
    const { transaction, payloads } = await find("py-msg");
    expect(transaction).toMatchObject({ protocol: "http", customData: "", queryPrepared: "", options: { requestTimeout: 8 } });
    expect(payloads).toEqual(['{"x": 1}']);
  });

  test("Python's tcc: no steps, no payloads", async () => {
    const body = '{"gid": "py-tcc", "trans_type": "tcc", "steps": null, "payloads": null}';
    expect(await server.post("prepare", body)).toMatchObject(DONE);
    expect((await find("py-tcc")).transaction.options).toEqual(NO_OPTIONS);
  });

  test("C#'s saga: pretty-printed, with nulls", async () => {
    const body =
      '{\r\n  "Gid": null,\r\n  "gid": "cs-saga",\r\n  "trans_type": "saga",\r\n  "custom_data": null,\r\n  "wait_result": false,\r\n' +
      '  "branch_headers": null,\r\n  "query_prepared": null,\r\n  "protocol": null,\r\n  "rollback_reason": null,\r\n' +
      '  "steps": [\r\n    {\r\n      "action": "http://a",\r\n      "compensate": "http://b"\r\n    }\r\n  ],\r\n' +
      '  "payloads": [\r\n    "{}"\r\n  ]\r\n}';
    expect(await server.post("submit", body)).toMatchObject(DONE);
    expect((await find("cs-saga")).branches).toHaveLength(2);
  });

  test("PHP's context: extra keys, [] for an empty map, orders as a list", async () => {
    const body = JSON.stringify({
      gid: "php-saga",
      trans_type: "saga",
      branch_id: "",
      sub_branch_id: 0,
      barrier_id: 0,
      op: "action",
      phase2_url: "http://p",
      dtm: "http://dtm",
      bin_payloads: [],
      steps: [
        { action: "http://a", compensate: "" },
        { action: "http://b", compensate: "" },
      ],
      payloads: ["{}", "{}"],
      custom_data: '{"concurrent":true,"orders":[[1],[]]}',
      branch_headers: [],
      req_extra: [],
      wait_result: true,
      timeout_to_fail: "35",
      retry_interval: "",
    });
    expect(await server.post("submit", body)).toMatchObject(DONE);
    const { transaction } = await find("php-saga");
    expect(transaction).toMatchObject({ status: "succeed", options: { timeoutToFail: 35 } });
    expect(server.participants.calls.filter(({ gid }) => gid === "php-saga").map(({ url }) => url)).toEqual([
      "http://b",
      "http://a",
    ]);
  });

  test("PHP's orders may be null", async () => {
    const body = { gid: "php-null", trans_type: "saga", custom_data: '{"concurrent":true,"orders":null}', wait_result: true };
    expect(await server.post("submit", { ...body, steps: [{ action: "http://a" }], payloads: ["{}"] })).toMatchObject(DONE);
  });

  test("the old PHP client's tcc: registerTccBranch, right-padded branch ids", async () => {
    await server.post("prepare", '{"gid":"php-old","trans_type":"tcc"}');
    const branch =
      '{"gid":"php-old","branch_id":"10","trans_type":"tcc","status":"prepared","data":"[]","try":"http://t","confirm":"http://c","cancel":"http://x"}';
    expect(await server.post("registerTccBranch", branch)).toMatchObject(DONE);
    expect(await server.post("submit", '{"gid":"php-old","trans_type":"tcc","wait_result":true}')).toMatchObject(DONE);
    expect(await server.rows("php-old")).toEqual(["10 cancel http://x prepared", "10 confirm http://c succeed"]);
  });

  test("Node's saga and its tcc on the old route", async () => {
    const saga = { gid: "node-saga", trans_type: "saga", steps: [{ action: "http://a" }], payloads: ["{}"], custom_data: "" };
    expect(await server.post("submit", saga)).toMatchObject(DONE);
    await server.post("prepare", { gid: "node-tcc", trans_type: "tcc" });
    const branch = { gid: "node-tcc", trans_type: "tcc", branch_id: "01", confirm: "http://c", cancel: "http://x", data: "{}" };
    expect(await server.post("registerTccBranch", branch)).toMatchObject(DONE);
  });

  test("clients older than 1.10 put the payload into the step", async () => {
    const steps = [
      { action: "http://a", compensate: "http://b", data: '{"old":1}' },
      { action: "http://c", compensate: "http://d", data: '{"old":2}' },
    ];
    expect(await server.post("submit", { gid: "old-saga", trans_type: "saga", steps })).toMatchObject(DONE);
    expect((await find("old-saga")).payloads).toEqual(['{"old":1}', '{"old":1}', '{"old":2}', '{"old":2}']);
  });

  test("keys in another case are understood, as Go does", async () => {
    const body = { GID: "case", Trans_Type: "saga", STEPS: [{ Action: "http://a" }], Payloads: ["x"], Wait_Result: true };
    expect(await server.post("submit", body)).toMatchObject(DONE);
    expect((await find("case")).transaction).toMatchObject({ status: "succeed", options: { waitResult: true } });
  });

  test("the last of two equal keys counts", async () => {
    await server.post("prepare", '{"gid":"first","trans_type":"tcc","gid":"last"}');
    expect([await server.status("first"), await server.status("last")]).toEqual([null, "prepared"]);
  });

  test("whatever Content-Type says, the body is JSON", async () => {
    const body = '{"gid":"typed","trans_type":"tcc"}';
    const form = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };
    expect(await server.post("prepare", body, form)).toMatchObject(DONE);
    expect(await server.post("prepare", body, { headers: { "Content-Type": "text/plain" } })).toMatchObject(DONE);
  });

  test("the server's own columns can't be set from outside", async () => {
    const columns = {
      id: 77,
      status: "succeed",
      owner: "me",
      result: "mine",
      next_cron_time: "2001-01-01T00:00:00Z",
      next_cron_interval: 1,
      create_time: "2001-01-01T00:00:00Z",
      ext_data: "x",
      attempts: 9,
    };
    await server.post("prepare", { gid: "columns", trans_type: "tcc", ...columns });
    const { transaction } = await find("columns");
    expect(transaction).toMatchObject({ status: "prepared", owner: "", result: "", createTime: server.clock.now(), attempts: 0 });
    expect(transaction.nextCronTime).toBeGreaterThan(server.clock.now());
  });

  test("no answer of success holds the word that SDKs search for", async () => {
    const replies = [
      await server.get("newGid"),
      await server.post("prepare", { gid: "words", trans_type: "tcc" }),
      await server.post("prepareWorkflow", { gid: "words-wf", trans_type: "workflow" }),
      await server.get("query?gid=words"),
      await server.get("/api/openapi.json"),
    ];
    for (const { status, text } of replies.slice(0, 4)) expect([status, text.includes("FAILURE")]).toEqual([200, false]);
  });
});
