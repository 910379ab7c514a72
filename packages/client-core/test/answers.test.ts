/** What the coordinator's answers become: what is repeated, what is asked, and which error comes out. */
import { currentBranch, decide, settle } from "@dtm/barrier/internal";
import { DtmError, Failure, type GlobalStatus } from "@dtm/protocol";
import { coordinatorOf } from "../src/client.js";
import { type Client, noCompensation } from "../src/index.js";
import { toWireOptions } from "../src/options.js";
import type { BranchReply } from "../src/transport.js";
import {
  conflict,
  done,
  error,
  late,
  ongoing,
  refused,
  type Scripted,
  ScriptedClient,
  ScriptedTransport,
  sagaOf,
  silent,
  stored,
} from "./scripted.js";

type Script = Record<string, Scripted[]>;

const warnings: Error[] = [];
beforeEach(() => void warnings.splice(0));

async function run(script: Script, work: (client: Client) => Promise<unknown>, options: { readonly canQuery?: boolean } = {}) {
  const transport = new ScriptedTransport(script);
  transport.canQuery = options.canQuery ?? true;
  const client = new ScriptedClient(transport, { timeoutMs: 60_000, onWarning: (warning) => warnings.push(warning) });
  const result = await work(client).then(
    () => "ok",
    (reason: unknown) => {
      if (reason instanceof DtmError) return reason.code;
      throw reason;
    },
  );
  return { result, log: transport.log, transport };
}

const saga = (client: Client) => client.saga().step({ action: "http://a", compensate: noCompensation() });
const msg = (client: Client) => client.msg().step({ action: "http://a" });
const SUBMIT = "current status 'succeed', cannot sumbmit. FAILURE";

describe("submit of a saga, not waiting", () => {
  test.each<[string, Script, string, string[]]>([
    ["accepted at once", { submit: [done] }, "ok", ["submit"]],
    ["an unclear answer is repeated", { submit: [silent, error, done] }, "ok", ["submit", "submit", "submit"]],
    ["a refusal is not", { submit: [refused] }, "COORDINATOR_REFUSED", ["submit"]],
    [
      "a gid that is used up",
      { submit: [conflict(SUBMIT)], query: [stored("succeed")] },
      "TRANSACTION_CONFLICT",
      ["submit", "query"],
    ],
    [
      "a repeat that meets its own success",
      { submit: [silent, conflict(SUBMIT)], query: [stored("succeed")] },
      "ok",
      ["submit", "submit", "query"],
    ],
    [
      "… but not when it was rolled back since",
      { submit: [silent, conflict(SUBMIT)], query: [stored("failed")] },
      "TRANSACTION_FAILED",
      ["submit", "submit", "query"],
    ],
    [
      "… nor when it is being rolled back",
      { submit: [error, conflict(SUBMIT)], query: [stored("aborting")] },
      "TRANSACTION_FAILED",
      ["submit", "submit", "query"],
    ],
    [
      "… with the actions of this one",
      { submit: [silent, conflict(SUBMIT)], query: [stored("succeed", sagaOf("http://a"))] },
      "ok",
      ["submit", "submit", "query"],
    ],
    [
      "a repeat that meets somebody else's saga",
      { submit: [silent, conflict(SUBMIT)], query: [stored("succeed", sagaOf("http://b"))] },
      "TRANSACTION_CONFLICT",
      ["submit", "submit", "query"],
    ],
    [
      "… one that was rolled back, and has more steps",
      { submit: [silent, conflict(SUBMIT)], query: [stored("failed", sagaOf("http://a", "http://b"))] },
      "TRANSACTION_CONFLICT",
      ["submit", "submit", "query"],
    ],
    [
      "a repeat that meets a message",
      { submit: [silent, conflict(SUBMIT)], query: [stored("succeed", { transType: "msg" })] },
      "TRANSACTION_CONFLICT",
      ["submit", "submit", "query"],
    ],
    [
      "never clear, and a message is stored",
      { submit: [silent], query: [stored("submitted", { transType: "msg" })] },
      "TRANSACTION_CONFLICT",
      ["submit", "submit", "submit", "submit", "query"],
    ],
    [
      "a refusal after an error that was carried out",
      { submit: [error, refused], query: [stored("submitted")] },
      "ok",
      ["submit", "submit", "query"],
    ],
    [
      "never clear, but stored",
      { submit: [silent], query: [stored("submitted")] },
      "ok",
      ["submit", "submit", "submit", "submit", "query"],
    ],
    [
      "never clear, and not stored",
      { submit: [silent], query: [stored(null)] },
      "COORDINATOR_UNREACHABLE",
      ["submit", "submit", "submit", "submit", "query"],
    ],
    [
      "errors only, and not stored",
      { submit: [error], query: [stored(null)] },
      "COORDINATOR_REFUSED",
      ["submit", "submit", "submit", "submit", "query"],
    ],
    [
      "errors after a try that got no answer, and not stored: that one may still arrive",
      { submit: [silent, error], query: [stored(null)] },
      "COORDINATOR_ERROR",
      ["submit", "submit", "submit", "submit", "query"],
    ],
    [
      "a refusal after such a try, and not stored",
      { submit: [silent, refused], query: [stored(null)] },
      "COORDINATOR_ERROR",
      ["submit", "submit", "query"],
    ],
    [
      "a refusal after such a try that was carried out",
      { submit: [silent, refused], query: [stored("submitted")] },
      "ok",
      ["submit", "submit", "query"],
    ],
    [
      "errors only, and nobody can say",
      { submit: [error], query: [refused] },
      "COORDINATOR_ERROR",
      ["submit", "submit", "submit", "submit", "query"],
    ],
  ])("%s", async (_, script, result, log) => {
    expect(await run(script, (client) => saga(client).submit())).toMatchObject({ result, log });
  });

  test("without a way to ask, an unclear answer stays unclear", async () => {
    expect(await run({ submit: [silent] }, (client) => saga(client).submit(), { canQuery: false })).toMatchObject({
      result: "COORDINATOR_UNREACHABLE",
      log: ["submit", "submit", "submit", "submit"],
    });
  });
});

describe("a repeat that meets what may be somebody else's", () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text);
  const action = (url: string, data = "") => ({
    branchId: "",
    op: "action",
    status: "",
    url,
    data: bytes(data),
    finishedAt: null,
  });
  const paid = (client: Client) =>
    client.saga().step({ action: "http://u:s3cret@a", compensate: noCompensation(), payload: { amount: 1 } });
  const mixed = (client: Client) =>
    client.msg().step({ action: "http://a", payload: 1 }).topic("t", 2).step({ action: "http://b", payload: 3 });

  test.each<[string, (client: Client) => { submit(): Promise<unknown> }, ReturnType<typeof action>[], string]>([
    ["the message itself", msg, [action("http://a")], "ok"],
    ["another message", msg, [action("http://b")], "TRANSACTION_CONFLICT"],
    ["a message with more steps", msg, [action("http://a"), action("http://b")], "TRANSACTION_CONFLICT"],
    ["the saga itself", paid, [action("http://u:s3cret@a", '{"amount":1}')], "ok"],
    ["another amount", paid, [action("http://u:s3cret@a", '{"amount":2}')], "TRANSACTION_CONFLICT"],
    ["a coordinator that tells no data", paid, [action("http://u:s3cret@a")], "ok"],
    [
      "a topic between the steps",
      mixed,
      [action("http://a", "1"), action("http://x", "2"), action("http://y", "2"), action("http://b", "3")],
      "ok",
    ],
    ["a topic without subscribers", mixed, [action("http://a", "1"), action("http://b", "3")], "ok"],
    ["a topic, and another step", mixed, [action("http://a", "1"), action("http://x", "2")], "TRANSACTION_CONFLICT"],
    ["a topic, and another payload", mixed, [action("http://a", "1"), action("http://b", "4")], "TRANSACTION_CONFLICT"],
  ])("%s", async (_, made, branches, result) => {
    const script = { submit: [silent, conflict(SUBMIT)], query: [stored("succeed", { branches })] };
    expect((await run(script, (client) => made(client).submit())).result).toBe(result);
  });

  test("no password in what it says", async () => {
    const script = {
      submit: [silent, conflict(SUBMIT)],
      query: [stored("succeed", { branches: [action("nacos://u:other@b")] })],
    };
    const client = new ScriptedClient(new ScriptedTransport(script));
    await expect(paid(client).submit()).rejects.toThrow("expected the actions http://a, found nacos://b: ");
  });
});

describe("submit, called again after an outcome that was unclear", () => {
  const used = (status: GlobalStatus): Script => ({
    submit: [silent, silent, silent, silent, conflict(SUBMIT)],
    query: [silent, silent, silent, silent, stored(status)],
  });
  const submitTwice = async (saga: { submit(options?: object): Promise<unknown> }, options?: object): Promise<void> => {
    await expect(saga.submit(options)).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
    await saga.submit(options);
  };

  test.each<[string, Script, (client: Client) => Promise<unknown>, string]>([
    ["a saga's own success", used("succeed"), (client) => submitTwice(saga(client)), "ok"],
    ["… that is still under way", used("submitted"), (client) => submitTwice(saga(client)), "ok"],
    ["… that was rolled back", used("failed"), (client) => submitTwice(saga(client)), "TRANSACTION_FAILED"],
    ["… that is being rolled back", used("aborting"), (client) => submitTwice(saga(client)), "TRANSACTION_FAILED"],
    ["waited for, succeeded", used("succeed"), (client) => submitTwice(saga(client), { waitResult: true }), "ok"],
    ["waited for, failed", used("failed"), (client) => submitTwice(saga(client), { waitResult: true }), "TRANSACTION_FAILED"],
    ["a message's own success", used("succeed"), (client) => submitTwice(msg(client)), "ok"],
    ["… that was aborted", used("failed"), (client) => submitTwice(msg(client)), "TRANSACTION_FAILED"],
  ])("%s", async (_, script, work, result) => {
    expect((await run(script, work)).result).toBe(result);
  });

  test("after a prepare that was unclear", async () => {
    const script = { prepare: [silent], submit: [conflict(SUBMIT)], query: [silent, silent, silent, silent, stored("succeed")] };
    const ran = await run(script, async (client) => {
      const message = msg(client);
      await expect(message.prepare("http://query")).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
      await message.submit();
    });
    expect(ran.result).toBe("ok");
  });

  test("after a wait that ended before the saga did", async () => {
    const script = { submit: [ongoing, conflict(SUBMIT)], query: [stored("submitted"), stored("succeed")] };
    const ran = await run(script, async (client) => {
      const waited = saga(client);
      await expect(waited.submit({ waitResult: true })).rejects.toMatchObject({ code: "TRANSACTION_RUNNING" });
      await waited.submit({ waitResult: true });
    });
    expect(ran.result).toBe("ok");
  });

  test("what was given up before anything was sent leaves nothing open", async () => {
    const ran = await run({ submit: [conflict(SUBMIT)], query: [stored("succeed")] }, async (client) => {
      const given = saga(client);
      const gone = given.submit({ signal: AbortSignal.abort(new Error("enough")) });
      await expect(gone).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await given.submit();
    });
    expect(ran.result).toBe("TRANSACTION_CONFLICT");
  });
});

describe("without a way to ask, the status in dtm's own words counts", () => {
  const words = (status: string, verb: string) =>
    conflict(`${verb === "abort" ? "trans type: 'msg' " : ""}current status '${status}', cannot ${verb}. FAILURE`);
  const prepared = async (client: Client, then: "submit" | "abort") => {
    const message = msg(client);
    await message.prepare("http://query");
    await message[then]();
  };

  test.each<[string, Script, (client: Client) => Promise<unknown>, string]>([
    ["a gid that is used up", { submit: [conflict(SUBMIT)] }, (client) => saga(client).submit(), "TRANSACTION_CONFLICT"],
    ["a repeat that meets its own success", { submit: [silent, conflict(SUBMIT)] }, (client) => saga(client).submit(), "ok"],
    ["a message that its query ended", { submit: [words("succeed", "sumbmit")] }, (client) => prepared(client, "submit"), "ok"],
    [
      "a message that its query failed",
      { submit: [words("failed", "sumbmit")] },
      (client) => prepared(client, "submit"),
      "TRANSACTION_FAILED",
    ],
    ["a timeout's rollback", { submit: [words("aborting", "sumbmit")] }, (client) => client.tcc(() => 1), "TRANSACTION_FAILED"],
    [
      "too late to take back",
      { abort: [words("succeed", "abort")] },
      (client) => prepared(client, "abort"),
      "TRANSACTION_CONFLICT",
    ],
    ["taken back before", { abort: [silent, words("failed", "abort")] }, (client) => prepared(client, "abort"), "ok"],
    ["other words", { submit: [conflict("x FAILURE")] }, (client) => saga(client).submit(), "COORDINATOR_ERROR"],
    ["an unknown status", { submit: [words("lost", "sumbmit")] }, (client) => saga(client).submit(), "COORDINATOR_ERROR"],
  ])("%s", async (_, script, work, result) => {
    const ran = await run(script, work, { canQuery: false });
    expect(ran.result).toBe(result);
    expect(ran.log).not.toContain("query");
  });
});

describe("submit, waiting", () => {
  test.each<[string, Script, string, string[]]>([
    ["ended in success", { submit: [done] }, "ok", ["submit"]],
    [
      "409 and rolled back",
      { submit: [conflict("no money FAILURE")], query: [stored("failed")] },
      "TRANSACTION_FAILED",
      ["submit", "query"],
    ],
    [
      "409 and on its way back",
      { submit: [conflict("no money FAILURE")], query: [stored("aborting")] },
      "TRANSACTION_FAILED",
      ["submit", "query"],
    ],
    [
      "409 and still running",
      { submit: [conflict("wait result not return success: FAILURE")], query: [stored("submitted")] },
      "TRANSACTION_RUNNING",
      ["submit", "query"],
    ],
    [
      "409, and it succeeded meanwhile",
      { submit: [conflict("wait result not return success: FAILURE")], query: [stored("succeed")] },
      "ok",
      ["submit", "query"],
    ],
    ["425", { submit: [ongoing], query: [stored("submitted")] }, "TRANSACTION_RUNNING", ["submit", "query"]],
    [
      "a branch's error isn't submitted again",
      { submit: [error], query: [stored("submitted")] },
      "TRANSACTION_RUNNING",
      ["submit", "query"],
    ],
    ["an error, and nothing stored", { submit: [error], query: [stored(null)] }, "COORDINATOR_REFUSED", ["submit", "query"]],
    ["silence is repeated", { submit: [silent, done] }, "ok", ["submit", "submit"]],
    [
      "409, and query tells nothing",
      { submit: [conflict("x FAILURE")], query: [silent] },
      "COORDINATOR_ERROR",
      ["submit", "query", "query", "query", "query"],
    ],
    ["a used-up gid", { submit: [conflict(SUBMIT)], query: [stored("failed")] }, "TRANSACTION_CONFLICT", ["submit", "query"]],
    [
      "a branch's reason with the words of a used-up gid",
      { submit: [conflict(`action http://a: ${SUBMIT}`)], query: [stored("failed")] },
      "TRANSACTION_FAILED",
      ["submit", "query"],
    ],
  ])("%s", async (_, script, result, log) => {
    expect(await run(script, (client) => saga(client).submit({ waitResult: true }))).toMatchObject({ result, log });
  });

  test("without a way to ask, nothing is sent", async () => {
    const transport = new ScriptedTransport({});
    transport.canQuery = false;
    await expect(saga(new ScriptedClient(transport)).submit({ waitResult: true })).rejects.toThrow("no way to ask");
    expect(transport.log).toEqual([]);
  });
});

describe("a prepared message", () => {
  const prepared = async (client: Client, then: (message: ReturnType<typeof msg>) => Promise<unknown>) => {
    const message = msg(client);
    await message.prepare("http://query");
    await then(message);
  };

  test.each<[string, Script, "submit" | "abort", string]>([
    [
      "the coordinator had submitted it by its query already",
      { submit: [conflict(SUBMIT)], query: [stored("succeed")] },
      "submit",
      "ok",
    ],
    [
      "the coordinator had failed it by its query",
      { submit: [conflict(SUBMIT)], query: [stored("failed")] },
      "submit",
      "TRANSACTION_FAILED",
    ],
    ["prepare unclear, but stored", { prepare: [silent], query: [stored("prepared")] }, "submit", "ok"],
    ["prepare unclear, and not stored", { prepare: [silent], query: [stored(null)] }, "submit", "COORDINATOR_UNREACHABLE"],
    [
      "prepare with and without answer, not stored",
      { prepare: [silent, error], query: [stored(null)] },
      "submit",
      "COORDINATOR_ERROR",
    ],
    ["prepare refused after no answer", { prepare: [silent, refused], query: [stored(null)] }, "submit", "COORDINATOR_ERROR"],
    [
      "prepare of a used-up gid",
      { prepare: [conflict("current status 'succeed', cannot prepare. FAILURE")] },
      "submit",
      "TRANSACTION_CONFLICT",
    ],
    ["taken back", { abort: [done] }, "abort", "ok"],
    [
      "taken back, and its repeat met that",
      { abort: [silent, conflict("cannot abort. FAILURE")], query: [stored("failed")] },
      "abort",
      "ok",
    ],
    [
      "too late to take back",
      { abort: [conflict("cannot abort. FAILURE")], query: [stored("succeed")] },
      "abort",
      "TRANSACTION_CONFLICT",
    ],
    [
      "unknown to the coordinator",
      { abort: [{ kind: "refused", message: "no TransGlobal with gid: x found" }] },
      "abort",
      "TRANSACTION_UNKNOWN",
    ],
    [
      "taken back by a try that was answered with an error, and nothing is found by the next",
      { abort: [error, { kind: "refused", message: "no TransGlobal with gid: x found" }], query: [stored("failed")] },
      "abort",
      "ok",
    ],
    ["… or refused by the next for another reason", { abort: [silent, refused], query: [stored("aborting")] }, "abort", "ok"],
    [
      "unknown to the coordinator after an unclear try",
      { abort: [silent, { kind: "refused", message: "no TransGlobal with gid: x found" }], query: [stored(null)] },
      "abort",
      "TRANSACTION_UNKNOWN",
    ],
    ["abort never clear", { abort: [error], query: [stored("prepared")] }, "abort", "COORDINATOR_ERROR"],
  ])("%s", async (_, script, then, result) => {
    expect((await run(script, (client) => prepared(client, (message) => message[then]()))).result).toBe(result);
  });
});

describe("registerBranch", () => {
  const branch = { try: "http://try", confirm: "http://confirm", cancel: "http://cancel" };

  test.each<[string, Script, string]>([
    ["no answer", { registerBranch: [silent, done] }, "COORDINATOR_UNREACHABLE"],
    ["an error", { registerBranch: [error, done] }, "COORDINATOR_ERROR"],
    ["a refusal", { registerBranch: [refused] }, "COORDINATOR_REFUSED"],
    [
      "not prepared any more",
      { registerBranch: [conflict("no trans with gid: x status: prepared found FAILURE")] },
      "TRANSACTION_CONFLICT",
    ],
  ])("%s: sent once, never tried, and the whole is aborted", async (_, script, result) => {
    const ran = await run(script, (client) => client.tcc((tcc) => tcc.branch(branch)));
    expect(ran).toMatchObject({ result, log: ["prepare", "registerBranch", "abort"] });
    expect(warnings).toEqual([]);
  });
});

describe("the callback of a global transaction", () => {
  const branch = { try: "http://try", confirm: "http://confirm", cancel: "http://cancel" };

  test("an abort that fails is told, and the first error thrown", async () => {
    const own = new Error("mine");
    const transport = new ScriptedTransport({ abort: [refused] });
    const client = new ScriptedClient(transport, { onWarning: (warning) => warnings.push(warning) });
    await expect(
      client.tcc(() => {
        throw own;
      }),
    ).rejects.toBe(own);
    expect(warnings).toMatchObject([{ code: "COORDINATOR_REFUSED", message: expect.stringContaining("abort of") as unknown }]);
  });

  test.each<[string, unknown]>([
    ["an object that has no text", Object.create(null)],
    ["an error whose message is none", Object.assign(new Error(), { message: undefined })],
  ])("%s is thrown as it is, after an abort", async (_, thrown) => {
    const transport = new ScriptedTransport({});
    const outcome = await new ScriptedClient(transport)
      .tcc(() => {
        throw thrown;
      })
      .catch((error: unknown) => ({ error }));
    expect(outcome).toEqual({ error: thrown });
    expect(transport.log).toEqual(["prepare", "abort"]);
    expect(transport.requests.at(-1)?.rollbackReason).toBe("an error without a text");
  });

  test("the password of a branch's URL is neither in the error nor in the reason that is stored", async () => {
    const transport = new ScriptedTransport({});
    transport.branch = async () => ({ outcome: { kind: "failure", reason: "no" }, body: Buffer.alloc(0) });
    const call = new ScriptedClient(transport).tcc((tcc) => tcc.branch({ ...branch, try: "https://u:s3cr@t@try/a?to=b@c" }));
    await expect(call).rejects.toThrow(/at https:\/\/try\/a\?to=b@c was refused: no$/);
    expect(transport.log).toContain("branch https://u:s3cr@t@try/a?to=b@c");
    expect(transport.requests.at(-1)?.rollbackReason).toMatch(/at https:\/\/try\/a\?to=b@c was refused: no$/);
  });

  test("the abort waits for calls under way, so that a cancel can't overtake its own try", async () => {
    const transport = new ScriptedTransport({});
    const events: string[] = [];
    let answer: () => void = () => undefined;
    transport.branch = async () => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      events.push("tried");
      return { outcome: { kind: "success" }, body: Buffer.alloc(0) };
    };
    const client = new ScriptedClient(transport);
    const run = client.tcc(async (tcc) => {
      void tcc.branch(branch);
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error("mine");
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(transport.log).toEqual(["prepare", "registerBranch", "branch http://try"]);
    answer();
    await expect(run).rejects.toThrow("mine");
    expect(events).toEqual(["tried"]);
    expect(transport.log.at(-1)).toBe("abort");
  });

  test("a branch after the end is refused", async () => {
    const client = new ScriptedClient(new ScriptedTransport({}));
    const late = await client.tcc((tcc) => tcc);
    await expect(late.branch(branch)).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
  });

  test("a caller that gives up before the submit gets an abort with a clock of its own", async () => {
    const transport = new ScriptedTransport({});
    const client = new ScriptedClient(transport);
    const controller = new AbortController();
    const run = client.tcc({ signal: controller.signal }, () => controller.abort(new Error("enough")));
    await expect(run).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", cause: new Error("enough") });
    expect(transport.log).toEqual(["prepare", "abort"]);
  });

  test("a submit that finds it rolled back by its timeout says so", async () => {
    const script = { submit: [conflict("current status 'aborting', cannot sumbmit. FAILURE")], query: [stored("aborting")] };
    expect((await run(script, (client) => client.tcc(() => 1))).result).toBe("TRANSACTION_FAILED");
  });
});

describe("the caller's own clock", () => {
  test("is one for the registration and the try of a branch", async () => {
    let now = 0;
    const time = { monotonic: () => now, pause: async () => undefined, random: () => 0 };
    const transport = new ScriptedTransport({});
    transport.arrived = (operation) => {
      if (operation === "registerBranch") now += 700;
    };
    const client = new ScriptedClient(transport, { timeoutMs: 60_000 }, time);
    const branch = { try: "http://try", confirm: "http://confirm", cancel: "http://cancel", timeoutMs: 1_000 };
    await client.tcc((tcc) => tcc.branch(branch));
    expect(transport.timeouts).toMatchObject({ registerBranch: [1_000], branch: [300] });
  });

  test("ends a coordinator that never answers", async () => {
    const transport = new ScriptedTransport({ submit: ["hang"], query: ["hang"] });
    await expect(saga(new ScriptedClient(transport)).submit({ timeoutMs: 200 })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringContaining("got no answer within 200 ms") as unknown,
    });
  });

  test.each<[string, Script, (client: Client) => Promise<unknown>, string]>([
    ["submit", { submit: [late], query: [late] }, (client) => saga(client).submit(), "DEADLINE_EXCEEDED"],
    [
      "submit, waiting",
      { submit: [late], query: [late] },
      (client) => saga(client).submit({ waitResult: true }),
      "DEADLINE_EXCEEDED",
    ],
    [
      "… and nothing is stored",
      { submit: [late], query: [stored(null)] },
      (client) => saga(client).submit(),
      "DEADLINE_EXCEEDED",
    ],
    ["prepare", { prepare: [late], query: [late] }, (client) => msg(client).prepare("http://q"), "DEADLINE_EXCEEDED"],
    ["newGid", { newGid: [late] }, (client) => client.newGid(), "DEADLINE_EXCEEDED"],
    ["query", { query: [late] }, (client) => client.query("g"), "DEADLINE_EXCEEDED"],
    ["topics", { topic: [late] }, (client) => client.topics.subscribe("t", "http://a"), "DEADLINE_EXCEEDED"],
    ["… after an outage", { newGid: [silent, late] }, (client) => client.newGid(), "DEADLINE_EXCEEDED"],
    ["… before an outage", { newGid: [late, silent] }, (client) => client.newGid(), "COORDINATOR_UNREACHABLE"],
    [
      "… and its query reaches nobody",
      { submit: [late], query: [silent] },
      (client) => saga(client).submit(),
      "COORDINATOR_UNREACHABLE",
    ],
    [
      "… and its query meets an error",
      { submit: [late], query: [error] },
      (client) => saga(client).submit(),
      "DEADLINE_EXCEEDED",
    ],
  ])("of which nothing but the end was met is no unreachable coordinator: %s", async (_, script, work, result) => {
    expect((await run(script, work)).result).toBe(result);
  });

  test("isn't used up by one try that hangs", async () => {
    const transport = new ScriptedTransport({ submit: ["hang", done] });
    await saga(new ScriptedClient(transport)).submit({ timeoutMs: 4_000 });
    expect(transport.log).toEqual(["submit", "submit"]);
  });

  test("a signal ends it at once, and before anything is sent when it came earlier", async () => {
    const transport = new ScriptedTransport({ submit: ["hang"] });
    const client = new ScriptedClient(transport, { timeoutMs: 600_000 });
    const controller = new AbortController();
    const sent = saga(client).submit({ signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("enough"));
    await expect(sent).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", cause: new Error("enough") });
    expect(transport.log).toEqual(["submit"]);
    await expect(saga(client).submit({ signal: controller.signal })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(transport.log).toEqual(["submit"]);
  });

  test("after close() nothing is sent", async () => {
    const transport = new ScriptedTransport({});
    const client = new ScriptedClient(transport);
    client.close();
    client.close();
    await expect(saga(client).submit()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(client.newGid()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(client.tcc(() => 1)).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    expect(transport.log).toEqual(["close"]);
  });

  test("waitFor goes on over an outage, and ends with what it found last", async () => {
    const up = await run({ query: [silent, silent, silent, silent, error, stored("submitted"), stored("failed")] }, (client) =>
      client.waitFor("g").then((state) => expect(state.status).toBe("failed")),
    );
    expect(up.result).toBe("ok");
    const never = new ScriptedClient(new ScriptedTransport({ query: [stored("submitted")] }));
    await expect(never.waitFor("g", { timeoutMs: 100 })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringContaining("'submitted'") as unknown,
    });
  });
});

describe("doAndSubmit", () => {
  test("the work finds its message by itself, and what it returned comes out", async () => {
    const transport = new ScriptedTransport({});
    const message = msg(new ScriptedClient(transport));
    const seen = await message.doAndSubmit("http://query", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      const { gid, transType, branchId, op } = currentBranch();
      return { gid, transType, branchId, op, log: [...transport.log] };
    });
    expect(seen).toEqual({ gid: message.gid, transType: "msg", branchId: "00", op: "msg", log: ["prepare"] });
    expect(transport.log).toEqual(["prepare", "submit"]);
    expect(transport.requests.map(({ queryPrepared }) => queryPrepared)).toEqual(["http://query", "http://query"]);
    expect(() => currentBranch()).toThrow(expect.objectContaining({ code: "NOT_IN_BRANCH" }));
  });

  test("without a stored message there is no work", async () => {
    const transport = new ScriptedTransport({ prepare: [refused] });
    const work = jest.fn();
    await expect(msg(new ScriptedClient(transport)).doAndSubmit("http://query", work)).rejects.toMatchObject({
      code: "COORDINATOR_REFUSED",
    });
    expect(work).not.toHaveBeenCalled();
  });

  test("what its submit can't be told is refused before anything is done", async () => {
    const transport = new ScriptedTransport({});
    transport.canQuery = false;
    const client = new ScriptedClient(transport);
    const work = jest.fn();
    const waiting = client.msg({ waitResult: true }).step({ action: "http://a" });
    await expect(waiting.doAndSubmit("http://query", work)).rejects.toThrow("no way to ask");
    await expect(waiting.prepare("http://query")).rejects.toThrow("no way to ask");
    await expect(msg(client).doAndSubmit("http://query", work, { waitResult: true })).rejects.toThrow("no way to ask");
    const fromJavaScript: object = { waitresult: true };
    await expect(msg(client).doAndSubmit("http://query", work, fromJavaScript)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(work).not.toHaveBeenCalled();
    expect(transport.log).toEqual([]);
    await waiting.doAndSubmit("http://query", work, { waitResult: false });
    expect(transport.log).toEqual(["prepare", "submit"]);
  });

  test("a submit without answer is an error, though the work is done", async () => {
    const script = { submit: [silent], query: [stored("prepared")] };
    const { result, log } = await run(script, (client) => msg(client).doAndSubmit("http://query", () => 1));
    expect(result).toBe("COORDINATOR_UNREACHABLE");
    expect(log).not.toContain("abort");
  });

  describe("after a Failure", () => {
    /** What every barrier does around its rows. */
    const barrier = (): void => void decide(settle(), "sql", { origin: false, own: true });
    const failure = new Failure("no seat left");

    test.each<[string, BranchReply["outcome"], string[]]>([
      ["committed", { kind: "success" }, ["prepare", "branch http://query", "submit"]],
      ["rolled back", { kind: "failure", reason: "rolled back" }, ["prepare", "branch http://query", "abort"]],
      ["nobody knows", { kind: "unknown", message: "500" }, ["prepare", "branch http://query"]],
    ])("that came when a barrier had run, queryPrepared decides: %s", async (_, outcome, log) => {
      const transport = new ScriptedTransport({});
      transport.branch = async () => ({ outcome, body: Buffer.alloc(0) });
      const client = new ScriptedClient(transport, { onWarning: (warning) => warnings.push(warning) });
      const work = async (): Promise<void> => {
        await new Promise((resolve) => setImmediate(resolve));
        barrier();
        throw failure;
      };
      await expect(msg(client).doAndSubmit("http://query", work)).rejects.toBe(failure);
      expect(transport.log).toEqual(log);
    });

    test("without a barrier the message is taken back at once", async () => {
      const transport = new ScriptedTransport({});
      const work = () => Promise.reject(failure);
      await expect(msg(new ScriptedClient(transport)).doAndSubmit("http://query", work)).rejects.toBe(failure);
      expect(transport.log).toEqual(["prepare", "abort"]);
    });
  });

  test("what follows an error of the work has a clock of its own", async () => {
    const transport = new ScriptedTransport({});
    const controller = new AbortController();
    const run = msg(new ScriptedClient(transport)).doAndSubmit(
      "http://query",
      () => {
        controller.abort();
        throw new Failure("no money");
      },
      { signal: controller.signal },
    );
    await expect(run).rejects.toMatchObject({ code: "FAILURE", message: "no money" });
    expect(transport.log).toEqual(["prepare", "abort"]);
  });
});

test.each<[string, Scripted[], string]>([
  ["at once", [refused], "COORDINATOR_REFUSED"],
  ["after no answer", [silent, refused], "COORDINATOR_ERROR"],
  ["after an error", [error, refused], "COORDINATOR_ERROR"],
])("a workflow's prepare that is refused %s", async (_, prepareWorkflow, code) => {
  const request = { gid: "g", transType: "workflow" as const, options: toWireOptions({}) };
  const { result } = await run({ prepareWorkflow }, (client) => coordinatorOf(client).prepareWorkflow(request, {}));
  expect(result).toBe(code);
});

test("who waits for a branch with a very long time has the longest that a timer can have", async () => {
  const transport = new ScriptedTransport({});
  const waiting = { waitResult: true, requestTimeoutSeconds: 300_000_000 };
  await new ScriptedClient(transport).saga(waiting).step({ action: "http://a", compensate: noCompensation() }).submit();
  expect(transport.timeouts["submit"]?.[0]).toBeLessThanOrEqual(2_147_483_647);
});

test("a conflict carries the status that its text names", async () => {
  const transport = new ScriptedTransport({ prepare: [conflict("current status 'succeed', cannot prepare. FAILURE")] });
  const message = new ScriptedClient(transport).msg().step({ action: "http://a" });
  await expect(message.prepare("http://q")).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT", status: "succeed" });
});
