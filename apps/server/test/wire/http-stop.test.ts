/** Starting and stopping the listener (R18): refuse new work, let what is under way end, cut at the deadline. */
import { Agent } from "node:http";
import { connect } from "node:net";
import { StartError } from "../../src/service.js";
import { PATHS, parsed, until, WireServer } from "./http-kit.js";

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  beforeEach(async () => {
    server = await WireServer.started({ useFront });
  });
  afterEach(() => server.stop());

  const waitingSaga = (gid: string) => {
    server.participants.hold("http://held");
    const steps = [{ action: "http://held" }];
    return server.post("submit", { gid, trans_type: "saga", steps, payloads: [""], wait_result: true });
  };

  test("what comes after the stop began is refused on its open connection, which then closes", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await server.get("newGid", { agent });
    server.listener.beginStop();
    const refused = await server.post("prepare", { gid: "late", trans_type: "tcc" }, { agent });
    expect([refused.status, refused.headers.connection]).toEqual([503, "close"]);
    expect(parsed(refused)).toEqual({ message: "the server is stopping: try again" });
    expect(await server.status("late")).toBeNull();
    expect((await server.get("/healthz")).status).toBe(200);
    const unready = await server.get("/readyz");
    expect([unready.status, parsed(unready)]).toEqual([503, { status: "stopping" }]);
    agent.destroy();
  });

  test("a request under way is answered before the stop ends", async () => {
    const waiting = waitingSaga("under-way");
    await until(() => server.participants.urls.includes("http://held"));
    let stopped = false;
    const stopping = server.listener.stop(new AbortController().signal).then(() => {
      stopped = true;
    });
    await expect(probe(server.listener.port)).resolves.toBe("refused");
    expect(stopped).toBe(false);
    server.participants.inFlight("http://held").answer({ kind: "success" });
    expect(await waiting).toMatchObject({ status: 200, headers: { connection: "close" } });
    await stopping;
  });

  test("at the deadline what is left is cut", async () => {
    const cut = waitingSaga("cut").catch((cause: Error) => cause.message);
    await until(() => server.participants.urls.includes("http://held"));
    const deadline = new AbortController();
    const stopping = server.listener.stop(deadline.signal);
    deadline.abort();
    await stopping;
    expect(await cut).toMatch(/socket hang up|ECONNRESET/);
  });

  test("idle connections don't hold up the stop, nor does a second one", async () => {
    const agent = new Agent({ keepAlive: true });
    await server.get("newGid", { agent });
    await server.listener.stop(new AbortController().signal);
    await server.listener.stop(new AbortController().signal);
    agent.destroy();
  });
});

test("a port in use is a sentence for the operator", async () => {
  const first = await WireServer.started();
  const second = new WireServer();
  const { port } = first.listener;
  Object.assign(second.listener, { parts: { ...Reflect.get(second.listener, "parts"), port } });
  const refused = await second.listener.start().catch((cause: unknown) => cause);
  expect(refused).toBeInstanceOf(StartError);
  expect(refused).toMatchObject({ message: expect.stringMatching(/^HTTP can't listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/) });
  await first.stop();
  await second.stop();
});

/** Whether a new connection is taken. */
function probe(port: number): Promise<"taken" | "refused"> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve("taken");
    });
    socket.on("error", () => resolve("refused"));
  });
}
