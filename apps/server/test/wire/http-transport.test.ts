/** The transport itself (protocol.md 1.1): routes and wrong routes, redirects, probes, metrics, mounts, failures of the store. */
import { ServerResponse } from "node:http";
import type { Coordinator } from "../../src/engine/coordinator.js";
import { StoreOverloaded, StoreRejected, StoreUnavailable } from "../../src/stores/store.js";
import { ROUTES } from "../../src/transports/http/routes.js";
import { PATHS, parsed, problem, type WireOptions, WireServer } from "./http-kit.js";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  const start = async (options: WireOptions = {}) => {
    server = await WireServer.started({ useFront, ...options });
  };
  afterEach(() => server.stop());

  const NO_PAGE = { status: 404, text: "404 page not found", headers: { "content-type": "text/plain; charset=utf-8" } };

  test.each([
    ["GET", "/"],
    ["GET", "/api/dtmsvr/nothing"],
    ["GET", "/api/dtmsvr/queryPrepared"],
    ["GET", "/api/dtmsvr/NEWGID"],
    ["POST", "/api/dtmsvr/newGid"],
    ["GET", "/api/dtmsvr/submit"],
    ["OPTIONS", "/api/dtmsvr/submit"],
    ["GET", "/api/dtmsvr/topic/x"],
    ["GET", "/api/json-rpc"],
  ])("%s %s is no page", async (method, path) => {
    await start();
    expect(await server.send(method, path, null)).toMatchObject(NO_PAGE);
    expect(server.served).toEqual(["other fail"]);
  });

  test("headers of 200 KB are read, as Go's server reads them", async () => {
    await start();
    const reply = await server.get("newGid", { headers: { Baggage: "a=b,".repeat(50_000) } });
    expect(reply.status).toBe(200);
  });

  test("a wrong path that can't be decoded is a 400, not a failure", async () => {
    await start();
    expect((await server.send("DELETE", "topic/%zz", null)).status).toBe(400);
    expect(server.logged.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test.each([
    ["GET", "/api/dtmsvr/newGid/", 301, "/api/dtmsvr/newGid"],
    ["GET", "/api/dtmsvr/query/?gid=x&y=/", 301, "/api/dtmsvr/query?gid=x&y=/"],
    ["POST", "/api/dtmsvr/submit/", 307, "/api/dtmsvr/submit"],
    ["DELETE", "/api/dtmsvr/topic/news/", 307, "/api/dtmsvr/topic/news"],
    ["POST", "/api/json-rpc/", 307, "/api/json-rpc"],
  ])("%s %s with a slash too many is sent on", async (method, path, status, location) => {
    await start();
    expect(await server.send(method, path, method === "POST" ? "{}" : null)).toMatchObject({ status, headers: { location } });
  });

  test("the absolute form of a target is understood", async () => {
    await start();
    const reply = await server.get(`http://127.0.0.1:${server.listener.port}/api/dtmsvr/query?gid=x`);
    expect(reply.status).toBe(200);
  });

  test("ping answers every method and isn't counted; version, metrics and the document are", async () => {
    await start();
    for (const method of ["GET", "POST", "HEAD", "PUT"]) expect((await server.send(method, "/api/ping", null)).status).toBe(200);
    expect(await server.get("version")).toMatchObject({ status: 200, text: '{"version":"v1.2.3"}' });
    expect(await server.get("/api/metrics")).toMatchObject({
      text: "dtm_server_info 1\n",
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
    expect(parsed(await server.get("/api/openapi.json"))).toMatchObject({ openapi: "3.1.0" });
    expect(server.served).toEqual(["version ok", "metrics ok", "openapi.json ok"]);
  });

  test("the metric's label is the last segment in lower case, without the query (Q15)", async () => {
    await start();
    await server.get("newGid?x=1");
    await server.get("query?gid=");
    await server.post("registerTccBranch", { gid: "none", trans_type: "tcc" });
    await server.post("abort", { gid: "none", trans_type: "tcc" });
    await server.send("DELETE", "topic/any-name", null);
    await server.post("/api/json-rpc", "{");
    expect(server.served).toEqual([
      "newgid ok",
      "query fail",
      "registertccbranch fail",
      "abort fail",
      "topic fail",
      "json-rpc fail",
    ]);
    expect(new Set(ROUTES.map(({ api }) => api)).size).toBeLessThan(40);
  });

  test("probes: alive always, ready when every part is", async () => {
    let broken: string | null = null;
    const checks = [
      { name: "store", check: async () => undefined },
      {
        name: "grpc",
        check: async () => {
          if (broken !== null) throw new Error(broken);
        },
      },
    ];
    await start({ checks });
    expect((await server.get("/healthz")).status).toBe(200);
    expect((await server.send("HEAD", "/readyz", null)).status).toBe(200);
    expect(parsed(await server.get("/readyz"))).toEqual({ status: "ready", checks: { store: "ok", grpc: "ok" } });
    broken = "password authentication failed for user 'dtm' at 10.0.0.7";
    const reply = await server.get("/readyz");
    expect([reply.status, parsed(reply)]).toEqual([
      503,
      { status: "unready", checks: { store: "ok", grpc: "the grpc can't answer" } },
    ]);
    expect(server.logged).toContain("warn not ready");
    expect((await server.get("/healthz")).status).toBe(200);
  });

  test("a check may have words of its own, but its cause stays in the log", async () => {
    const refused = async () => Promise.reject(new Error("READONLY at 10.0.0.7"));
    await start({ checks: [{ name: "heartbeat", says: "the store takes no heartbeat", check: refused }] });
    const reply = await server.get("/readyz");
    expect([reply.status, parsed(reply)]).toEqual([
      503,
      { status: "unready", checks: { heartbeat: "the store takes no heartbeat" } },
    ]);
  });

  describe("what the store says", () => {
    const broken = (cause: unknown) => ({
      coordinator: (real: Coordinator): Coordinator => ({
        ...bound(real),
        submit: () => Promise.reject(cause),
        newGid: () => {
          throw cause;
        },
      }),
    });
    const UNKNOWN = "the store can't answer, so it is unknown whether this was stored: the same request may be sent again";

    test.each([
      [new StoreUnavailable("connect 10.0.0.7:3306 FAILURE"), problem(UNKNOWN, 503), "warn store refused a request"],
      [new StoreOverloaded("full"), problem("the store is overloaded: try again", 503), "warn store refused a request"],
      [new StoreRejected("data too long"), problem("data too long"), null],
      [new TypeError("x is undefined"), problem("internal error: the server's log tells more"), "error request failed"],
      ["not even an error", problem("internal error: the server's log tells more"), "error request failed"],
    ])("%p", async (cause, expected, line) => {
      await start(broken(cause));
      const before = server.logged.length;
      expect(await server.post("submit", { gid: "g", trans_type: "saga" })).toMatchObject(expected);
      expect(await server.get("newGid")).toMatchObject(expected);
      expect(server.logged.slice(before)).toEqual(line === null ? [] : [line, line]);
    });

    test("an ordinary request costs no line of the log", async () => {
      await start();
      const before = server.logged.length;
      await server.post("prepare", { gid: "quiet", trans_type: "tcc" });
      await server.post("abort", { gid: "unknown", trans_type: "tcc" });
      expect(server.logged.slice(before)).toEqual([]);
    });
  });

  test("what other parts mount is served behind the same door", async () => {
    const mounts: WireOptions["mounts"] = [
      { path: "/api/admin", exposure: "operator", api: "admin", handler: (_request, response) => void response.json({ ok: 1 }) },
      {
        path: "/broken",
        exposure: "operator",
        api: "broken",
        handler: () => {
          throw new Error("defect");
        },
      },
    ];
    await start({ mounts });
    expect((await server.get("/api/admin/stuck")).text).toBe('{"ok":1}');
    expect(await server.get("/broken")).toMatchObject(problem("internal error: the server's log tells more"));
    expect((await server.get("/api/admin", { headers: { Origin: "http://evil.example" } })).status).toBe(403);
    expect((await server.get("/api/other")).status).toBe(404);
    expect(server.served).toContain("admin ok");
  });

  test("sockets outlive the 90 s that Go clients keep idle ones (R20)", async () => {
    await start();
    const reply = await server.get("newGid");
    expect(reply.headers["keep-alive"]).toBe("timeout=120");
  });

  test("nothing tells what the server is made of, and nothing is cached by tag", async () => {
    await start();
    const { headers } = await server.get("version");
    expect(Object.keys(headers).sort()).toEqual(["connection", "content-length", "content-type", "date", "keep-alive"]);
  });

  test("an answer that can't be written is logged, and the server goes on", async () => {
    await start();
    const spoiled = jest.spyOn(ServerResponse.prototype, "writeHead").mockImplementationOnce(() => {
      throw new Error("spoiled");
    });
    await expect(server.get("newGid")).rejects.toThrow("socket hang up");
    spoiled.mockRestore();
    expect(server.logged).toContain("error answer could not be written");
    expect((await server.get("newGid")).status).toBe(200);
  });
});

/** Methods of a class, kept with their `this`, as plain fields. */
function bound(real: Coordinator): Coordinator {
  return {
    newGid: () => real.newGid(),
    prepare: (input) => real.prepare(input),
    submit: (input) => real.submit(input),
    abort: (input) => real.abort(input),
    forceStop: (gid, reason) => real.forceStop(gid, reason),
    registerBranch: (input) => real.registerBranch(input),
    prepareWorkflow: (input) => real.prepareWorkflow(input),
    query: (gid) => real.query(gid),
    list: (filter) => real.list(filter),
    resetCronTime: (ask) => real.resetCronTime(ask),
    resetNextCronTime: (gid) => real.resetNextCronTime(gid),
  };
}
