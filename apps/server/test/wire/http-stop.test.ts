/** Starting and stopping the listener (R18): refuse new work, let what is under way end, answer who still waits at the deadline (R11), then cut. */
import { Agent } from "node:http";
import { connect } from "node:net";
import { settle } from "../../src/engine/virtual-clock.js";
import { StartError } from "../../src/service.js";
import { PATHS, parsed, problem, until, WireServer } from "./http-kit.js";

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

  const complaints = () => server.logged.filter((line) => /^(warn|error)/.test(line));
  const LEFT = {
    ...problem("the server is stopping before there was an answer: what it has stored of the transaction goes on", 503),
    headers: expect.objectContaining({ connection: "close" }),
  };

  test("at the deadline who still waits is told why, once, and the stop ends", async () => {
    const waiting = waitingSaga("left");
    await until(() => server.participants.urls.includes("http://held"));
    const deadline = new AbortController();
    const stopping = server.listener.stop(deadline.signal);
    deadline.abort();
    expect(await waiting).toMatchObject(LEFT);
    await stopping;
    expect(await server.status("left")).toBe("submitted");
    server.participants.inFlight("http://held").answer({ kind: "success" });
    await until(async () => (await server.status("left")) === "succeed");
    await settle();
    expect([server.served, complaints()]).toEqual([["submit fail"], []]);
  });

  test("a deadline that has passed already leaves nobody without an answer, nor does a handler that fails later", async () => {
    const waiting = waitingSaga("late");
    await until(() => server.participants.urls.includes("http://held"));
    await server.listener.stop(AbortSignal.abort());
    expect(await waiting).toMatchObject(LEFT);
    await server.core.stop(AbortSignal.abort());
    await settle();
    expect([server.served, complaints()]).toEqual([["submit fail"], []]);
  });

  test("a request that never arrives whole is cut soon after the deadline", async () => {
    const socket = connect(server.listener.port, "127.0.0.1");
    const heard: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    const closed = new Promise<void>((resolve) => socket.on("error", () => undefined).on("close", () => resolve()));
    socket.write("POST /api/dtmsvr/submit HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n{");
    await until(() => heard.length > 0);
    await server.listener.stop(AbortSignal.abort());
    await closed;
    expect(Buffer.concat(heard).toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
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
