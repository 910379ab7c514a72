/** What a waiting caller is told (protocol.md 4.12, HTTP column). */
import { Agent } from "node:http";
import { settle } from "../../src/engine/virtual-clock.js";
import { REPLIES, type Reply } from "../kit/scripted-participants.js";
import { DONE, failure, PATHS, parsed, until, WireServer } from "./http-kit.js";

const NOT_YET = failure("wait result not return success: FAILURE");
/** The stored reason ends with the word already, and keeps it once (protocol.md 2.2, 4.4, 4.12). */
const rolledBack = (url: string) => failure(`url:${url} return failed: no stock FAILURE`);
const ONGOING = { status: 425, text: '{"dtm_result":"ONGOING","message":"ONGOING"}' };

describe.each(PATHS)("$path", ({ useFront }) => {
  let server: WireServer;
  let gids = 0;
  beforeAll(async () => {
    server = await WireServer.started({ useFront });
  });
  afterAll(() => server.stop());

  /** A gid with a service of its own that answers as told. */
  const scripted = (...replies: Reply[]) => {
    const gid = `wait-${++gids}`;
    server.participants.script(`http://${gid}`, ...replies);
    return { gid, url: `http://${gid}` };
  };
  const submitSteps = (type: string, { gid, url }: { gid: string; url: string }, more: object = {}) =>
    server.post("submit", {
      gid,
      trans_type: type,
      steps: [{ action: url, compensate: `${url}/undo` }],
      payloads: ["{}"],
      wait_result: true,
      ...more,
    });
  const submitTwoPhase = async (type: string, { gid, url }: { gid: string; url: string }, end: "submit" | "abort") => {
    await server.post("prepare", { gid, trans_type: type, wait_result: true });
    const urls = type === "tcc" ? { confirm: url, cancel: url } : { url };
    await server.post("registerBranch", { gid, trans_type: type, branch_id: "01", data: "{}", ...urls });
    return server.post(end, { gid, trans_type: type, wait_result: true });
  };

  test.each(["saga", "msg"])("%s that succeeds", async (type) => {
    expect(await submitSteps(type, scripted(REPLIES.ok))).toMatchObject(DONE);
  });

  test("saga that rolled back: its reason", async () => {
    const { gid, url } = scripted(REPLIES.refuse);
    expect(await submitSteps("saga", { gid, url })).toMatchObject(rolledBack(url));
    expect(await server.status(gid)).toBe("failed");
  });

  test("saga whose undoing goes on: the same", async () => {
    const { gid, url } = scripted(REPLIES.refuse);
    server.participants.script(`${url}/undo`, REPLIES.error);
    expect(await submitSteps("saga", { gid, url })).toMatchObject(rolledBack(url));
    expect(await server.status(gid)).toBe("aborting");
  });

  test.each([
    ["ongoing", REPLIES.ongoing],
    ["a temporary error", REPLIES.error],
  ])("saga still submitted after %s", async (_name, reply) => {
    expect(await submitSteps("saga", scripted(reply))).toMatchObject(NOT_YET);
  });

  test("saga with a slow branch: when the caller's patience ends (R11)", async () => {
    const { gid, url } = scripted();
    server.participants.hold(url);
    const waiting = submitSteps("saga", { gid, url }, { request_timeout: 60 });
    await until(() => server.participants.urls.includes(url));
    await settle();
    await server.clock.advance(62_000);
    expect(await waiting).toMatchObject(NOT_YET);
    expect(await server.status(gid)).toBe("submitted");
  });

  test("msg that goes on, or is delayed", async () => {
    expect(await submitSteps("msg", scripted(REPLIES.ongoing))).toMatchObject(NOT_YET);
    expect(await submitSteps("msg", scripted(), { custom_data: '{"delay":10}' })).toMatchObject(NOT_YET);
  });

  test("msg whose branch has a temporary error: 500 with the notice", async () => {
    const reply = await submitSteps("msg", scripted(REPLIES.error));
    expect(reply.status).toBe(500);
    expect(parsed(reply)).toEqual({ message: expect.stringMatching(/^your http\/grpc result should be specified[\s\S]*oops$/) });
  });

  test("msg whose branch says failure: 409 with the notice", async () => {
    const reply = await submitSteps("msg", scripted(REPLIES.refuse));
    expect(reply.status).toBe(409);
    expect(parsed(reply)).toEqual({
      dtm_result: "FAILURE",
      message: expect.stringMatching(/^your http[\s\S]*no stock FAILURE$/),
    });
  });

  describe.each(["tcc", "xa"])("%s", (type) => {
    test.each(["submit", "abort"] as const)("%s that succeeds", async (end) => {
      const { gid, url } = scripted(REPLIES.ok);
      expect(await submitTwoPhase(type, { gid, url }, end)).toMatchObject(DONE);
      expect(await server.status(gid)).toBe(end === "submit" ? "succeed" : "failed");
    });

    test.each(["submit", "abort"] as const)("%s that goes on: 425", async (end) => {
      expect(await submitTwoPhase(type, scripted(REPLIES.ongoing), end)).toMatchObject(ONGOING);
    });

    test.each(["submit", "abort"] as const)("%s with a temporary error: 500 with the notice", async (end) => {
      const reply = await submitTwoPhase(type, scripted(REPLIES.error), end);
      expect(reply).toMatchObject({ status: 500, text: expect.stringContaining("oops") });
      expect(reply.text).not.toContain("dtm_result");
    });

    test.each(["submit", "abort"] as const)("%s whose branch says failure: 409 with the notice", async (end) => {
      const reply = await submitTwoPhase(type, scripted(REPLIES.refuse), end);
      expect(reply).toMatchObject({ status: 409, text: expect.stringContaining("no stock FAILURE") });
    });
  });

  test("a caller who leaves cancels nothing", async () => {
    const { gid, url } = scripted();
    server.participants.hold(url);
    const agent = new Agent();
    const left = server
      .post("submit", { gid, trans_type: "saga", steps: [{ action: url }], payloads: [""], wait_result: true }, { agent })
      .catch((cause: Error) => cause.message);
    await until(() => server.participants.urls.includes(url));
    agent.destroy();
    expect(await left).toBe("socket hang up");
    server.participants.inFlight(url).answer({ kind: "success" });
    await until(async () => (await server.status(gid)) === "succeed");
    expect(await server.get("newGid")).toMatchObject({ status: 200 });
  });
});
