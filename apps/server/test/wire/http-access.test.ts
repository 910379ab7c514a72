/** Who is let in over a real socket (R23, R24), the same on both paths; the rule itself is tested beside it. */
import { PATHS, type WireOptions, WireServer } from "./http-kit.js";

const TOKEN = "0123456789abcdef";
const BEARER = { headers: { Authorization: `Bearer ${TOKEN}` } };
const CLIENT_ROUTES = ["newGid", "query?gid=x"];
const OPERATOR_ROUTES = ["all", "version", "/api/metrics", "/api/openapi.json", "queryKV", "subscribe?topic=t&url=http://a"];
const PROBES = ["/api/ping", "/healthz", "/readyz"];

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  const start = async (access: Partial<WireOptions["access"]>) => {
    server = await WireServer.started({
      useFront,
      access: { host: "127.0.0.1", authToken: "", allowInsecure: "none", allowedHosts: [], ...access },
    });
  };
  afterEach(() => server.stop());

  const statuses = async (paths: readonly string[], headers: Record<string, string> = {}) =>
    Object.fromEntries(
      await Promise.all(paths.map(async (path) => [path, (await server.get(path, { headers })).status] as const)),
    );
  const all = (paths: readonly string[], status: number) => Object.fromEntries(paths.map((path) => [path, status]));

  test("with a token nobody comes in without it, but probes", async () => {
    await start({ authToken: TOKEN });
    expect(await statuses([...CLIENT_ROUTES, ...OPERATOR_ROUTES])).toEqual(all([...CLIENT_ROUTES, ...OPERATOR_ROUTES], 401));
    expect(await statuses(PROBES)).toEqual(all(PROBES, 200));
    const every = [...CLIENT_ROUTES, ...OPERATOR_ROUTES, ...PROBES];
    expect(await statuses(every, BEARER.headers)).toEqual(all(every, 200));
  });

  test("a refused request changes nothing, names the way in, and its body is not judged", async () => {
    await start({ authToken: TOKEN });
    const before = await server.everything();
    const reply = await server.post("submit", { gid: "in", trans_type: "saga" });
    expect(reply).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    expect((await server.post("submit", "no json")).status).toBe(401);
    expect((await server.post("/api/json-rpc", "no json")).status).toBe(401);
    expect((await server.post("submit", "{}", { headers: { Authorization: "Bearer 0123456789abcdeX" } })).status).toBe(401);
    expect(await server.everything()).toEqual(before);
    expect(await server.post("submit", { gid: "in", trans_type: "saga" }, BEARER)).toMatchObject({ status: 200 });
  });

  test("open to clients: what SDKs need, and no more", async () => {
    await start({ host: "0.0.0.0", allowInsecure: "clients" });
    expect(await statuses(CLIENT_ROUTES)).toEqual(all(CLIENT_ROUTES, 200));
    expect(await statuses(OPERATOR_ROUTES)).toEqual(all(OPERATOR_ROUTES, 401));
    for (const route of ["prepare", "submit", "abort", "registerBranch", "registerTccBranch", "prepareWorkflow", "/api/json-rpc"])
      expect([route, (await server.post(route, "{}")).status]).not.toEqual([route, 401]);
    for (const route of ["forceStop", "resetNextCronTime"]) expect((await server.post(route, "{}")).status).toBe(401);
    expect((await server.send("DELETE", "topic/x", null)).status).toBe(401);
  });

  test("open to clients beside a token: operators need it", async () => {
    await start({ host: "0.0.0.0", allowInsecure: "clients", authToken: TOKEN });
    expect(await statuses(CLIENT_ROUTES)).toEqual(all(CLIENT_ROUTES, 200));
    expect(await statuses(OPERATOR_ROUTES)).toEqual(all(OPERATOR_ROUTES, 401));
    expect(await statuses(OPERATOR_ROUTES, BEARER.headers)).toEqual(all(OPERATOR_ROUTES, 200));
  });

  test("a page of another site can't make a browser submit (R23)", async () => {
    await start({});
    const body = { gid: "evil", trans_type: "saga" };
    for (const headers of [{ Origin: "http://evil.example" }, { Origin: "null" }, { "Sec-Fetch-Site": "cross-site" }] as Record<
      string,
      string
    >[])
      expect((await server.post("submit", body, { headers })).status).toBe(403);
    expect(await server.status("evil")).toBeNull();
    const own = { Origin: `http://127.0.0.1:${server.listener.port}`, "Sec-Fetch-Site": "same-origin" };
    expect((await server.post("submit", body, { headers: own })).status).toBe(200);
  });

  test("a name that was rebound to loopback is refused, unless it is allowed (R23)", async () => {
    await start({ allowedHosts: ["Coordinator.local"] });
    const ask = async (host: string) => (await server.get("newGid", { headers: { Host: host } })).status;
    expect(await ask("evil.example:36789")).toBe(403);
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:36789", "[::1]:36789", "coordinator.local:80"])
      expect([host, await ask(host)]).toEqual([host, 200]);
  });
});
