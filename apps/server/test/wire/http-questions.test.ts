/** What is asked and shown: query, listing with exact cursors, resets, topics and the kv table (protocol.md 1.11, 1.12). */
import { REPLIES } from "../kit/scripted-participants.js";
import { DONE, PATHS, parsed, problem, until, WireServer } from "./http-kit.js";

const START = "2023-11-14T22:13:20.000Z";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeEach(async () => {
    server = await WireServer.started({ useFront });
  });
  afterEach(() => server.stop());

  describe("query", () => {
    test("shows options as text and flattened, and leaves out what is zero", async () => {
      await server.post("prepare", {
        gid: "shown",
        trans_type: "tcc",
        wait_result: true,
        retry_interval: 7,
        branch_headers: { a: "b" },
      });
      await server.post("registerBranch", { gid: "shown", trans_type: "tcc", branch_id: "01", data: "é", confirm: "http://c" });
      expect(parsed(await server.get("query?gid=shown"))).toEqual({
        transaction: {
          id: 1,
          create_time: START,
          update_time: START,
          gid: "shown",
          trans_type: "tcc",
          status: "prepared",
          protocol: "http",
          options: '{"wait_result":true,"retry_interval":7,"branch_headers":{"a":"b"},"concurrent":false}',
          next_cron_interval: 7,
          next_cron_time: "2023-11-14T22:13:27.000Z",
          wait_result: true,
          retry_interval: 7,
          branch_headers: { a: "b" },
          concurrent: false,
        },
        branches: [
          {
            id: expect.any(Number),
            create_time: START,
            update_time: START,
            gid: "shown",
            bin_data: "w6k=",
            branch_id: "01",
            op: "cancel",
            status: "prepared",
          },
          expect.objectContaining({ op: "confirm", url: "http://c" }),
        ],
      });
    });

    test("shows the end with its time and reason", async () => {
      server.participants.script("http://no", REPLIES.refuse);
      const steps = [{ action: "http://no", compensate: "http://undo" }];
      await server.post("submit", { gid: "ended", trans_type: "saga", steps, payloads: [""], wait_result: true });
      const { transaction, branches } = parsed(await server.get("query?gid=ended")) as Record<string, object>;
      expect(transaction).toMatchObject({
        status: "failed",
        rollback_time: START,
        rollback_reason: "url:http://no return failed: no stock FAILURE",
      });
      expect(transaction).not.toHaveProperty("finish_time");
      expect(branches).toMatchObject([
        { op: "compensate", status: "succeed", finish_time: START },
        { op: "action", status: "failed" },
      ]);
      expect(JSON.stringify([transaction, branches])).not.toContain("null");
    });

    test("without a gid, and of an unknown one", async () => {
      expect(await server.get("query")).toMatchObject(problem("no gid specified"));
      expect(await server.get("query?gid=")).toMatchObject(problem("no gid specified"));
      expect(await server.get("query?gid=x")).toMatchObject({ status: 200, text: '{"branches":[],"transaction":null}' });
    });

    test("reads the parameter as Go does: escapes, plus for a space, the first of two", async () => {
      await server.post("prepare", { gid: "a b&ü", trans_type: "tcc" });
      const asked = parsed(await server.get("query?x=1&gid=a+b%26%C3%BC&gid=other"));
      expect(asked).toMatchObject({ transaction: { gid: "a b&ü" } });
    });
  });

  describe("all", () => {
    interface Listed {
      readonly transactions: readonly { readonly gid: string }[] | null;
      readonly next_position: string;
    }
    const list = async (search: string) => {
      const { transactions, next_position } = parsed(await server.get(`all${search}`)) as Listed;
      return { gids: transactions?.map(({ gid }) => gid) ?? null, next: next_position };
    };

    test("pages newest first, each row once, also while new ones come", async () => {
      const gids = Array.from({ length: 7 }, (_, index) => `page-${index}`);
      for (const gid of gids) await server.post("prepare", { gid, trans_type: "tcc" });
      const first = await list("?limit=3");
      await server.post("prepare", { gid: "page-late", trans_type: "tcc" });
      const second = await list(`?limit=3&position=${first.next}`);
      const third = await list(`?limit=3&position=${second.next}`);
      expect([...(first.gids ?? []), ...(second.gids ?? []), ...(third.gids ?? [])]).toEqual([...gids].reverse());
      expect([first.next === "", second.next === "", third.next]).toEqual([false, false, ""]);
    });

    test("of exactly one page has no next position", async () => {
      for (const gid of ["a", "b"]) await server.post("prepare", { gid, trans_type: "tcc" });
      expect(await list("?limit=2")).toEqual({ gids: ["b", "a"], next: "" });
    });

    test("filters by status, type, time and prefix", async () => {
      await server.post("prepare", { gid: "x-tcc", trans_type: "tcc" });
      await server.clock.advance(1_000);
      await server.post("prepare", { gid: "x-xa", trans_type: "xa" });
      await server.post("submit", { gid: "y-msg", trans_type: "msg", wait_result: true });
      const from = Date.parse(START);
      expect((await list("?status=prepared")).gids).toEqual(["x-xa", "x-tcc"]);
      expect((await list("?transType=msg&status=succeed")).gids).toEqual(["y-msg"]);
      expect((await list("?gidPrefix=x-")).gids).toEqual(["x-xa", "x-tcc"]);
      expect((await list(`?createTimeStart=${from + 1_000}`)).gids).toEqual(["y-msg", "x-xa"]);
      expect((await list(`?createTimeStart=${from}&createTimeEnd=${from}`)).gids).toEqual(["x-tcc"]);
      expect((await list("?createTimeStart=0&createTimeEnd=")).gids).toHaveLength(3);
    });

    test("cuts times to whole seconds; who was created within the second of the end is in", async () => {
      await server.clock.advance(400);
      await server.post("prepare", { gid: "at-400", trans_type: "tcc" });
      await server.clock.advance(599);
      await server.post("prepare", { gid: "at-999", trans_type: "tcc" });
      await server.clock.advance(1);
      await server.post("prepare", { gid: "at-1000", trans_type: "tcc" });
      const from = Date.parse(START);
      expect((await list(`?createTimeStart=${from + 999}`)).gids).toEqual(["at-1000", "at-999", "at-400"]);
      expect((await list(`?createTimeStart=${from + 1_000}`)).gids).toEqual(["at-1000"]);
      expect((await list(`?createTimeEnd=${from + 1}`)).gids).toEqual(["at-999", "at-400"]);
      expect((await list(`?createTimeEnd=${from + 1_000}`)).gids).toEqual(["at-1000", "at-999", "at-400"]);
    });

    test.each(["status=done", "transType=2pc", "status=Prepared"])("of %s is an empty page: nothing has it", async (search) => {
      await server.post("prepare", { gid: "some", trans_type: "tcc" });
      const empty = { status: 200, text: '{"transactions":[],"next_position":""}' };
      expect(await server.get(`all?${search}`)).toMatchObject(empty);
    });

    test("of one gid: a list of one, or null", async () => {
      await server.post("prepare", { gid: "one", trans_type: "tcc" });
      expect(await list("?gid=one&status=failed")).toEqual({ gids: ["one"], next: "" });
      expect((await server.get("all?gid=none")).text).toBe('{"transactions":null,"next_position":""}');
      expect((await server.get("all?status=failed")).text).toBe('{"transactions":[],"next_position":""}');
    });

    test.each([
      ["limit=ten", "convert to int error: ten"],
      ["createTimeStart=x", "convert to int error: x"],
      ["createTimeEnd=1.5", "convert to int error: 1.5"],
      ["limit=0", "limit must be 1 or more, found 0"],
      ["position=gid-7", "convert to int error: gid-7"],
      ["status=done&position=x", "convert to int error: x"],
    ])("refuses %s", async (search, message) => {
      expect(await server.get(`all?${search}`)).toMatchObject(problem(message));
    });
  });

  test("resetCronTime makes due what would be looked at much later", async () => {
    for (const gid of ["far-1", "far-2"]) {
      server.participants.script(`http://${gid}`, REPLIES.error);
      const body = { gid, trans_type: "msg", steps: [{ action: `http://${gid}` }], payloads: [""], retry_interval: 1_000 };
      await server.post("submit", { ...body, wait_result: true });
    }
    expect((await server.get("resetCronTime?timeout=5000")).text).toBe('{"has_remaining":false,"succeed_count":0}');
    expect((await server.get("resetCronTime?timeout=0&limit=1")).text).toBe('{"has_remaining":true,"succeed_count":1}');
    await until(() => server.participants.calls.length === 3);
    expect((await server.get("resetCronTime")).text).toBe('{"has_remaining":false,"succeed_count":2}');
  });

  test.each([
    [-1, "timeout must be a number of seconds, 0 or more; found -1"],
    [10 * 366 * 86_400 + 1, "timeout is over ten years: 316224001 seconds"],
  ])("resetCronTime refuses a timeout of %d", async (timeout, message) => {
    expect(await server.get(`resetCronTime?timeout=${timeout}`)).toMatchObject(problem(message));
  });

  test("resetCronTime looks three of the server's timeouts ahead, whatever a type has instead", async () => {
    const other = await WireServer.started({ useFront, settings: { timeoutToFail: 100 }, types: { tcc: { timeoutToFail: 7 } } });
    for (const seconds of [290, 310]) {
      await other.post("prepare", { gid: `far-${seconds}`, trans_type: "saga", retry_interval: seconds });
    }
    expect((await other.get("resetCronTime")).text).toBe('{"has_remaining":false,"succeed_count":1}');
    await other.stop();
  });

  describe("topics", () => {
    const subscribe = (search: string) => server.get(`subscribe?${search}`);
    const urls = async () => {
      const { kv } = parsed(await server.get("queryKV?cat=topics&key=news")) as { kv: readonly { readonly v: string }[] };
      return kv.map(({ v }) => v);
    };

    test("are kept as dtm writes them, and a msg reaches every subscriber", async () => {
      expect(await subscribe("topic=news&url=http%3A%2F%2Fa&remark=first")).toMatchObject(DONE);
      expect(await subscribe("topic=news&url=http://b")).toMatchObject(DONE);
      expect(parsed(await server.get("queryKV?cat=topics&key=news"))).toEqual({
        kv: [
          {
            id: expect.any(Number),
            create_time: START,
            update_time: START,
            cat: "topics",
            k: "news",
            v: '[{"url":"http://a","remark":"first"},{"url":"http://b","remark":""}]',
            version: 2,
          },
        ],
      });
      const body = { gid: "to-all", trans_type: "msg", steps: [{ action: "topic://news" }], payloads: ["{}"], wait_result: true };
      expect(await server.post("submit", body)).toMatchObject(DONE);
      expect(await server.rows("to-all")).toEqual(["01-01 action http://a succeed", "01-02 action http://b succeed"]);
    });

    test("can be left and deleted", async () => {
      await subscribe("topic=news&url=http://a");
      expect(await server.get("unsubscribe?topic=news&url=http://a")).toMatchObject(DONE);
      expect(await urls()).toEqual(["[]"]);
      expect(await server.send("DELETE", "topic/news", null)).toMatchObject(DONE);
      expect(await urls()).toEqual([]);
      expect(await server.send("DELETE", "topic/news", null)).toMatchObject(problem("storage: NotFound"));
    });

    test("with a name that a path must escape", async () => {
      await subscribe("topic=a%2Fb%20c&url=http://a");
      expect(await server.send("DELETE", "topic/a%2Fb%20c", null)).toMatchObject(DONE);
    });

    test("refuse in dtm's words", async () => {
      await subscribe("topic=news&url=http://a");
      await subscribe("topic=empty&url=http://a");
      await server.get("unsubscribe?topic=empty&url=http://a");
      const refusals = {
        "subscribe?url=x": "empty topic",
        "subscribe?topic=news": "empty url",
        "subscribe?topic=news&url=http://a": "this url exists",
        "unsubscribe?url=x": "empty topic",
        "unsubscribe?topic=news": "empty url",
        "unsubscribe?topic=none&url=x": "no such a topic",
        "unsubscribe?topic=empty&url=x": "this topic is empty",
        "unsubscribe?topic=news&url=x": "no such an url ",
      };
      const heard: Record<string, unknown> = {};
      for (const path of Object.keys(refusals)) heard[path] = parsed(await server.get(path));
      expect(heard).toEqual(Object.fromEntries(Object.entries(refusals).map(([path, message]) => [path, { message }])));
    });

    test("are listed page by page", async () => {
      for (const topic of ["a", "b", "c"]) await subscribe(`topic=${topic}&url=http://x`);
      const scan = async (search: string) =>
        parsed(await server.get(`scanKV?${search}`)) as { kv: readonly { readonly k: string }[]; next_position: string };
      const first = await scan("cat=topics&limit=2");
      const second = await scan(`cat=topics&limit=2&position=${first.next_position}`);
      expect([...first.kv, ...second.kv].map(({ k }) => k).sort()).toEqual(["a", "b", "c"]);
      expect(second.next_position).toBe("");
      expect((await server.get("scanKV?cat=other")).text).toBe('{"kv":[],"next_position":""}');
      expect((parsed(await server.get("queryKV?cat=topics")) as { kv: readonly unknown[] }).kv).toHaveLength(3);
      expect((parsed(await server.get("queryKV")) as { kv: readonly unknown[] }).kv).toHaveLength(3);
      expect(await server.get("scanKV?limit=x")).toMatchObject(problem("convert to int error: x"));
      expect(await server.get("scanKV?position=a")).toMatchObject(problem("convert to int error: a"));
    });
  });
});
