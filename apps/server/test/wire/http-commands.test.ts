/** The five classic endpoints, the workflow and the admin commands (protocol.md 1.1 to 1.10), answer for answer. */
import { REPLIES } from "../kit/scripted-participants.js";
import { DONE, failure, PATHS, parsed, problem, until, WireServer } from "./http-kit.js";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
  });
  afterAll(() => server.stop());

  describe("newGid", () => {
    test("is a short uuid beside dtm_result, as JSON with a charset", async () => {
      const reply = await server.get("newGid");
      expect(parsed(reply)).toEqual({ dtm_result: "SUCCESS", gid: expect.stringMatching(/^[2-9A-HJ-NP-Za-km-z]{22}$/) });
      expect(reply.headers["content-type"]).toBe("application/json; charset=utf-8");
      expect(reply.headers["content-length"]).toBe(String(reply.text.length));
    });
  });

  describe("prepare", () => {
    test("again is success while prepared, and changes nothing", async () => {
      const body = { gid: "prepare-1", trans_type: "msg", steps: [{ action: "http://a" }], payloads: ["{}"] };
      expect(await server.post("prepare", body)).toMatchObject(DONE);
      const before = await server.store.find("prepare-1");
      expect(await server.post("prepare", { gid: "prepare-1", trans_type: "tcc" })).toMatchObject(DONE);
      expect(await server.store.find("prepare-1")).toEqual(before);
    });

    test("after the end is a conflict", async () => {
      await server.post("submit", { gid: "prepare-2", trans_type: "msg", wait_result: true });
      const again = await server.post("prepare", { gid: "prepare-2", trans_type: "msg" });
      expect(again).toMatchObject(failure("current status 'succeed', cannot prepare. FAILURE"));
    });
  });

  describe("submit", () => {
    test("a topic that was deleted since the prepare is no matter: the prepared branches are delivered to", async () => {
      await server.get("subscribe?topic=gone&url=http://first");
      const body = { gid: "submit-gone", trans_type: "msg", steps: [{ action: "topic://gone" }], payloads: ["1"] };
      expect(await server.post("prepare", body)).toMatchObject(DONE);
      await server.send("DELETE", "topic/gone", null);
      expect(await server.post("prepare", body)).toMatchObject(DONE);
      expect(await server.post("submit", { ...body, wait_result: true })).toMatchObject(DONE);
      expect(await server.rows("submit-gone")).toEqual(["01 action http://first succeed"]);
      expect(await server.post("submit", body)).toMatchObject(failure("current status 'succeed', cannot sumbmit. FAILURE"));
      expect(await server.post("submit", { ...body, gid: "submit-new" })).toMatchObject(problem("topic not found"));
      expect(await server.status("submit-new")).toBeNull();
    });

    test("answers at once; the branches are those of the prepare", async () => {
      const steps = [{ action: "http://prepared" }];
      await server.post("prepare", { gid: "submit-1", trans_type: "msg", steps, payloads: ["1"] });
      const other = { gid: "submit-1", trans_type: "msg", steps: [{ action: "http://other" }], payloads: ["2"] };
      expect(await server.post("submit", other)).toMatchObject(DONE);
      expect(await server.rows("submit-1")).toEqual([expect.stringContaining("01 action http://prepared")]);
    });

    test("again while submitted is success", async () => {
      server.participants.hold("http://held");
      const body = { gid: "submit-2", trans_type: "saga", steps: [{ action: "http://held" }], payloads: [""] };
      expect(await server.post("submit", body)).toMatchObject(DONE);
      expect(await server.post("submit", body)).toMatchObject(DONE);
      server.participants.inFlight("http://held").answer({ kind: "success" });
    });

    test.each(["soap", "HTTP"])(
      "of protocol %s: kept as it is, and its branches are called (protocol.md 3.1)",
      async (protocol) => {
        const gid = `submit-${protocol}`;
        const steps = [{ action: "http://any" }];
        expect(
          await server.post("submit", { gid, trans_type: "saga", protocol, steps, payloads: [""], wait_result: true }),
        ).toMatchObject(DONE);
        expect(parsed(await server.get(`query?gid=${gid}`))).toMatchObject({ transaction: { protocol } });
        expect(server.participants.calls.at(-1)?.invocation).toMatchObject({ protocol, url: "http://any" });
      },
    );

    test("after the end is a conflict, misspelt as ever", async () => {
      const body = { gid: "submit-3", trans_type: "saga", wait_result: true };
      expect(await server.post("submit", body)).toMatchObject(DONE);
      expect(await server.post("submit", body)).toMatchObject(failure("current status 'succeed', cannot sumbmit. FAILURE"));
    });
  });

  describe("abort", () => {
    test("of an unknown gid", async () => {
      const reply = await server.post("abort", { gid: "nobody", trans_type: "tcc" });
      expect(reply).toMatchObject(problem("no TransGlobal with gid: nobody found"));
    });

    test("of a prepared msg calls nothing", async () => {
      const calls = server.participants.calls.length;
      await server.post("prepare", { gid: "abort-1", trans_type: "msg", steps: [{ action: "http://a" }], payloads: [""] });
      expect(await server.post("abort", { gid: "abort-1", trans_type: "msg" })).toMatchObject(DONE);
      expect(await server.status("abort-1")).toBe("failed");
      expect(server.participants.calls.length).toBe(calls);
    });

    test("of a tcc keeps the reason; the type need not be told (Q21)", async () => {
      await server.post("prepare", { gid: "abort-2", trans_type: "tcc" });
      expect(await server.post("abort", { gid: "abort-2", rollback_reason: "no stock" })).toMatchObject(DONE);
      expect((await server.store.find("abort-2"))?.transaction.rollbackReason).toBe("no stock");
    });

    test.each([
      ["a submitted tcc", { trans_type: "tcc" }, "succeed"],
      ["a saga", { trans_type: "saga" }, "succeed"],
    ])("of %s is a conflict", async (name, body, status) => {
      const gid = `abort-${name}`;
      await server.post("submit", { gid, wait_result: true, ...body });
      const reply = await server.post("abort", { gid, trans_type: "tcc" });
      expect(reply).toMatchObject(failure(`trans type: '${body.trans_type}' current status '${status}', cannot abort. FAILURE`));
    });
  });

  describe("registerBranch", () => {
    const tcc = { trans_type: "tcc", branch_id: "01", data: "{}", confirm: "http://c", cancel: "http://x" };

    test.each(["registerBranch", "registerTccBranch", "registerXaBranch"])(
      "as %s stores cancel before confirm",
      async (route) => {
        const gid = `register-${route}`;
        await server.post("prepare", { gid, trans_type: "tcc" });
        expect(await server.post(route, { gid, ...tcc })).toMatchObject(DONE);
        expect(await server.rows(gid)).toEqual(["01 cancel http://x prepared", "01 confirm http://c prepared"]);
      },
    );

    test("of xa stores rollback before commit", async () => {
      await server.post("prepare", { gid: "register-xa", trans_type: "xa" });
      const body = { gid: "register-xa", trans_type: "xa", branch_id: "01", url: "http://xa" };
      expect(await server.post("registerBranch", body)).toMatchObject(DONE);
      expect(await server.rows("register-xa")).toEqual(["01 rollback http://xa prepared", "01 commit http://xa prepared"]);
    });

    test("of a workflow stores the result's bytes under the given op and status", async () => {
      await server.post("prepareWorkflow", { gid: "register-wf", trans_type: "workflow" });
      const body = {
        gid: "register-wf",
        trans_type: "workflow",
        branch_id: "01",
        op: "action",
        status: "succeed",
        data: "grüße",
      };
      expect(await server.post("registerBranch", { ...body, sync: "1" })).toMatchObject(DONE);
      const [branch] = (await server.store.find("register-wf"))?.branches ?? [];
      expect(branch).toMatchObject({ branchId: "01", op: "action", status: "succeed", url: "" });
      expect(Buffer.from(branch?.payload ?? []).toString()).toBe("grüße");
    });

    test("a second time is an error, since no SDK repeats it", async () => {
      await server.post("prepare", { gid: "register-2", trans_type: "tcc" });
      await server.post("registerBranch", { gid: "register-2", ...tcc });
      const again = await server.post("registerBranch", { gid: "register-2", ...tcc });
      expect(again).toMatchObject(problem("storage: UniqueKeyConflict"));
    });

    test("without a prepared transaction", async () => {
      const reply = await server.post("registerBranch", { gid: "register-none", ...tcc });
      expect(reply).toMatchObject(failure("no trans with gid: register-none status: prepared found FAILURE"));
    });

    test("of a type that has no branches to register", async () => {
      await server.post("prepare", { gid: "register-msg", trans_type: "msg" });
      const reply = await server.post("registerBranch", { gid: "register-msg", trans_type: "msg", branch_id: "01" });
      expect(reply).toMatchObject(problem("unknow trans type: msg"));
    });

    test("understands values that aren't texts", async () => {
      await server.post("prepare", { gid: "register-lenient", trans_type: "tcc" });
      const body = { ...tcc, gid: "register-lenient", branch_id: 1, data: { amount: 30 }, confirm: null };
      expect(await server.post("registerBranch", body)).toMatchObject(DONE);
      const branches = (await server.store.find("register-lenient"))?.branches ?? [];
      expect(branches.map(({ branchId, url, payload }) => [branchId, url, Buffer.from(payload).toString()])).toEqual([
        ["1", "http://x", '{"amount":30}'],
        ["1", "", '{"amount":30}'],
      ]);
    });

    test("of what isn't JSON is the one 400 (protocol.md 1.1)", async () => {
      const reply = await server.post("registerBranch", "{");
      expect(reply).toMatchObject({ status: 400, text: expect.stringContaining("the body is not JSON") });
    });
  });

  describe("a workflow", () => {
    const body = {
      trans_type: "workflow",
      custom_data: '{"data":"aGk=","name":"wf"}',
      query_prepared: "http://callback",
      protocol: "http",
    };
    const end = (gid: string, status: string) => ({
      gid,
      trans_type: "workflow",
      req_extra: { status, rollback_reason: "", result: "b2s=" },
    });

    test("goes from prepare over its steps to the end, and is handed out as it stands", async () => {
      const gid = "workflow-1";
      const fresh = parsed(await server.post("prepareWorkflow", { gid, ...body }));
      expect(fresh).toMatchObject({ transaction: { gid, status: "prepared" }, progresses: [] });
      const step = { gid, trans_type: "workflow", branch_id: "01", op: "action", status: "succeed", data: "ok" };
      await server.post("registerBranch", step);
      expect(await server.post("submit", end(gid, "succeed"))).toMatchObject(DONE);
      const again = parsed(await server.post("prepareWorkflow", { gid, ...body }));
      expect(again).toMatchObject({
        transaction: { gid, status: "succeed", result: "b2s=" },
        progresses: [{ branch_id: "01", op: "action", status: "succeed", bin_data: "b2s=" }],
      });
    });

    test("may be ended twice alike, not otherwise (Q32)", async () => {
      const gid = "workflow-2";
      await server.post("prepareWorkflow", { gid, ...body });
      await server.post("submit", end(gid, "failed"));
      expect(await server.post("submit", end(gid, "failed"))).toMatchObject(DONE);
      expect(await server.post("submit", end(gid, "succeed"))).toMatchObject(
        failure("current status 'failed', cannot sumbmit. FAILURE"),
      );
    });

    test("that nobody began can't end", async () => {
      expect(await server.post("submit", end("workflow-none", "succeed"))).toMatchObject(problem("storage: NotFound"));
    });
  });

  describe("forceStop and resetNextCronTime", () => {
    test("wake and stop what is stored", async () => {
      server.participants.script("http://forced", REPLIES.ongoing);
      const calls = () => server.participants.urls.filter((url) => url === "http://forced").length;
      const steps = [{ action: "http://forced" }];
      await server.post("submit", { gid: "force-1", trans_type: "saga", steps, payloads: [""], wait_result: true });
      expect(calls()).toBe(1);
      expect(await server.post("resetNextCronTime", { gid: "force-1" })).toMatchObject(DONE);
      await until(() => calls() === 2);
      expect(await server.post("forceStop", { gid: "force-1" })).toMatchObject(DONE);
      expect(await server.status("force-1")).toBe("failed");
      expect(await server.post("forceStop", { gid: "force-1" })).toMatchObject(
        failure("global transaction force stop error. status: failed. error: FAILURE"),
      );
      expect(await server.post("resetNextCronTime", { gid: "force-1" })).toMatchObject(DONE);
    });

    test.each(["forceStop", "resetNextCronTime"])("%s of an unknown gid", async (route) => {
      expect(await server.post(route, { gid: "nobody" })).toMatchObject(problem("no TransGlobal with gid: nobody found"));
    });
  });

  describe("the gid", () => {
    test("loses line ends and semicolons on the way in, not in questions (Q48)", async () => {
      await server.post("prepare", { gid: "a;b\nc\r", trans_type: "tcc" });
      expect(await server.status("abc")).toBe("prepared");
      expect(await server.post("abort", { gid: "a;bc", trans_type: "tcc" })).toMatchObject(DONE);
      expect(parsed(await server.get(`query?gid=${encodeURIComponent("a;bc")}`))).toEqual({ branches: [], transaction: null });
    });
  });
});
