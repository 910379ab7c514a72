/** Workflows and their corners, on the real coordinator in process and in virtual time. */
import { getEventListeners } from "node:events";
import type { RequestListener } from "node:http";
import type { XaDatabase, XaSession } from "@dtm/barrier/xa";
import { coordinatorOf } from "@dtm/client-core/internal";
import { ScriptedTransport } from "../../client-core/test/scripted.js";
import { startCoordinator, type TestCoordinator } from "../../testing/src/index.js";
import {
  branch,
  type Client,
  Failure,
  type LocalStepOptions,
  Ongoing,
  TransactionError,
  type Workflow,
  type WorkflowSagaStep,
  type WorkflowSettings,
  Workflows,
  type WorkflowsOptions,
  type WorkflowTccStep,
  workflowListener,
} from "../src/index.js";
import { ScriptedClient } from "./scripted-client.js";

let dtm: TestCoordinator;
let workflows: Workflows;
/** `<op> <path>` of every branch call. */
let calls: string[];
/** What a path of the shop answers; 200 unless said otherwise. */
let answers: Record<string, (call: number) => { readonly status: number; readonly body?: string }>;
/** What left a workflow open when the coordinator asked for it. */
let errors: unknown[];

beforeEach(async () => {
  calls = [];
  answers = {};
  errors = [];
  dtm = await startCoordinator();
  workflows = new Workflows(dtm.client, { callback: "http://app/workflows" });
  dtm.serve("http://app", workflowListener(workflows, { onError: (error) => void errors.push(error) }));
  dtm.serve("http://shop", shop);
});
afterEach(() => dtm.stop());

const shop: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://shop");
  const path = pathname.slice(1);
  calls.push(`${searchParams.get("op")} ${path}`);
  const { status, body = "{}" } = answers[path]?.(calls.filter((call) => call.endsWith(` ${path}`)).length) ?? { status: 200 };
  response.writeHead(status).end(body);
};
const refused = { status: 409, body: "no stock" };
const step = (path: string) => ({ action: `http://shop/${path}`, compensate: `http://shop/${path}-undo`, payload: {} });
const seat = { try: "http://shop/try", confirm: "http://shop/confirm", cancel: "http://shop/cancel", payload: {} };
let gids = 0;
const newGid = (): string => `workflow-test-${++gids}`;

const stored = (status: string) => ({
  gid: "g",
  transType: "",
  customData: "",
  status,
  rollbackReason: "",
  result: "",
  progresses: [],
});

describe("phase 2", () => {
  test("a confirm that refuses once is asked again, and the workflow ends", async () => {
    answers["confirm"] = (call) => (call === 1 ? refused : { status: 200 });
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      return "done";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect((await dtm.client.query(gid))?.status).toBe("prepared");
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action try", "commit confirm", "commit confirm"]);
    expect(await order.execute(undefined, { gid })).toBe("done");
  });

  test("a refusal that another client has stored for a phase 2 isn't its end", async () => {
    const gid = newGid();
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
    });
    answers["confirm"] = () => ({ status: 500 });
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    const registration = { gid, transType: "workflow" as const, branchId: "01", payload: "no" };
    await coordinatorOf(dtm.client).registerBranch({ ...registration, data: { op: "commit", status: "failed" } }, {});
    answers["confirm"] = () => ({ status: 200 });
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action try", "commit confirm", "commit confirm"]);
  });
});

describe("the undo of a step that refused", () => {
  /** Which undoes were called, of a workflow whose `ship` refuses. */
  const undone = () => calls.filter((call) => call.startsWith("rollback")).map((call) => call.slice("rollback ".length));
  const define = (settings?: WorkflowSettings) =>
    workflows.define("order", async (wf) => void (await wf.saga(step("ship"))), settings);
  const noAnswerThenRefused = (call: number) => (call === 1 ? { status: 500 } : refused);

  test.each([
    ["a new gid", () => ({})],
    ["a gid that the caller chose", () => ({ gid: newGid() })],
  ])("is left out after a first refusal, under %s, as in dtm", async (_, options) => {
    answers["ship"] = () => refused;
    await expect(define().execute(undefined, options())).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(undone()).toEqual([]);
  });

  test.each<[string, (gid: string) => Promise<unknown>]>([
    ["the coordinator's callback", (gid) => dtm.ended(gid)],
    ["a second execution", (gid) => workflows.resume("order", gid, new Uint8Array())],
  ])("is kept when an earlier call ended without an answer, and %s repeated it", async (_, resume) => {
    answers["ship"] = noAnswerThenRefused;
    const gid = newGid();
    await expect(define().execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    await resume(gid);
    expect(undone()).toEqual(["ship-undo"]);
  });

  test("is kept when the caller executes it again under the same gid", async () => {
    answers["ship"] = noAnswerThenRefused;
    const order = define();
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(undone()).toEqual(["ship-undo"]);
  });

  test("is kept when the run took so long that another one may be at work", async () => {
    answers["ship"] = () => refused;
    // The callbacks find nobody.
    dtm.serve("http://app", (_, response) => void response.writeHead(503).end());
    const slow = workflows.define("slow", async (wf) => {
      await dtm.advance(2_000);
      await wf.saga(step("ship"));
    });
    await expect(slow.execute(undefined, { retryIntervalSeconds: 3 })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(undone()).toEqual([]);
    await expect(slow.execute(undefined, { retryIntervalSeconds: 2 })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(undone()).toEqual(["ship-undo"]);
  });

  test("is kept where the input leaves no room to tell who has begun it", async () => {
    answers["ship"] = () => refused;
    const order = workflows.define("order", async (wf, _input: object) => void (await wf.saga(step("ship"))));
    const failed = { code: "TRANSACTION_FAILED" };
    await expect(order.execute({ note: "x".repeat(700) }, { gid: newGid() })).rejects.toMatchObject(failed);
    expect(undone()).toEqual([]);
    await expect(order.execute({ note: "x".repeat(735) }, { gid: newGid() })).rejects.toMatchObject(failed);
    expect(undone()).toEqual(["ship-undo"]);
  });

  test.each([
    [true, ["ship-undo"]],
    [false, []],
  ])("with compensateErrorBranch: %s", async (compensateErrorBranch, expected) => {
    answers["ship"] = () => refused;
    const order = define({ compensateErrorBranch });
    await expect(order.execute(undefined)).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(undone()).toEqual(expected);
    calls = [];
    answers["ship"] = noAnswerThenRefused;
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(await dtm.ended(gid)).toBe("failed");
    expect(undone()).toEqual(expected);
  });

  test("of local work is kept as well", async () => {
    let runs = 0;
    const order = workflows.define("order", async (wf) => {
      const work = (): void => {
        throw ++runs === 1 ? new Error("the process dies") : new Failure("sold out");
      };
      await wf.local(work, { undo: () => void calls.push("rollback local") });
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toThrow("the process dies");
    expect(await dtm.ended(gid)).toBe("failed");
    expect(undone()).toEqual(["local"]);
  });

  test("of a TCC's try is kept as well", async () => {
    answers["try"] = noAnswerThenRefused;
    const order = workflows.define("order", async (wf) => void (await wf.tcc(seat)));
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(await dtm.ended(gid)).toBe("failed");
    expect(calls).toEqual(["action try", "action try", "rollback cancel"]);
  });

  test.each([
    [undefined, ["rollback cancel", "commit confirm"]],
    [true, ["rollback cancel", "commit confirm"]],
    [false, ["commit confirm"]],
  ])("is also called when the workflow succeeds without it, with compensateErrorBranch: %s", async (flag, expected) => {
    answers["try"] = (call) => (call < 3 ? noAnswerThenRefused(call) : { status: 200 });
    answers["confirm"] = (call) => ({ status: call === 1 ? 500 : 200 });
    const order = workflows.define(
      "order",
      async (wf) => {
        await wf.tcc(seat).catch(async (error: unknown) => {
          if (!(error instanceof Failure)) throw error;
          await wf.tcc(seat);
        });
      },
      { compensateErrorBranch: flag },
    );
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    // A run that stops between the two ends is followed by one that knows which way it went.
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls.filter((call) => !call.startsWith("action"))).toEqual(["commit confirm", ...expected.toReversed()]);
  });
});

describe("a step that nobody waits for", () => {
  test.each([
    ["is refused later", "slow"],
    ["was refused before the end", "wait"],
  ] as const)("and that %s undoes the workflow", async (_, when) => {
    answers["ship"] = () => refused;
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      void wf.saga(step("ship")).then((answer) => answer.text());
      if (when === "wait") await wf.saga(step("mail"));
      return "fine";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect((await dtm.client.query(gid))?.rollbackReason).toContain("no stock");
    expect(calls.filter((call) => call.startsWith("rollback")).at(-1)).toBe("rollback debit-undo");
  });

  test("and whose refusal is dealt with in time undoes nothing", async () => {
    answers["ship"] = () => refused;
    const order = workflows.define("order", async (wf) => {
      const shipped = wf.saga(step("ship")).then((answer) => answer.text());
      await wf.saga(step("debit"));
      return shipped.catch(() => "by mail");
    });
    expect(await order.execute(undefined)).toBe("by mail");
  });

  test("what is undone stays undone, when the run after a crash sees the refusal in time", async () => {
    answers["ship"] = () => refused;
    answers["debit-undo"] = (call) => ({ status: call === 1 ? 500 : 200 });
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      const shipped = wf.saga(step("ship")).catch(() => undefined);
      if (calls.includes("rollback debit-undo")) await shipped;
      return "fine";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(await dtm.ended(gid)).toBe("failed");
    await expect(order.execute(undefined, { gid })).rejects.toThrow("no stock");
  });

  test("and that begins after the end leaves it open", async () => {
    const order = workflows.define("order", (wf) => {
      void wf
        .saga(step("debit"))
        .then(() => wf.saga(step("ship")))
        .catch(() => undefined);
      return "fine";
    });
    await expect(order.execute(undefined)).rejects.toMatchObject({ code: "STEP_INVALID" });
  });
});

describe("after a step without a definite answer", () => {
  test("no other step is taken, so none is given the recorded answer of another one", async () => {
    answers["debit"] = (call) => ({ status: call === 1 ? 500 : 200 });
    const order = workflows.define("order", async (wf) => {
      try {
        return (await wf.saga(step("debit"))).branchId;
      } catch (error) {
        if (error instanceof Failure) throw error;
        await wf.saga(step("credit"));
        return "credited";
      } finally {
        await wf.saga(step("ship"));
      }
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(calls).toEqual(["action debit"]);
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action debit", "action debit", "action ship"]);
    expect(await order.execute(undefined, { gid })).toBe("01");
  });

  test("the next one throws the same error, and those under way go on", async () => {
    answers["debit"] = () => ({ status: 500 });
    const seen: unknown[] = [];
    const order = workflows.define("order", async (wf) => {
      const [debit, ship] = await Promise.allSettled([wf.saga(step("debit")), wf.saga(step("ship"))]);
      seen.push(debit.status === "rejected" && debit.reason, ship.status);
      try {
        await wf.saga(step("mail"));
      } catch (error) {
        seen.push(error);
      }
    });
    const error = await order.execute(undefined).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(seen).toEqual([error, "fulfilled", error]);
    expect(calls.toSorted()).toEqual(["action debit", "action ship"]);
  });
});

describe("what is stored", () => {
  test("a result over 768 bytes comes back, now and later", async () => {
    const long = "ü".repeat(20_000);
    const order = workflows.define("order", async (wf) => wf.local(() => ({ long })));
    const gid = newGid();
    expect(await order.execute(undefined, { gid })).toEqual({ long });
    expect((await dtm.client.query(gid))?.status).toBe("succeed");
    expect(await order.execute(undefined, { gid })).toEqual({ long });
  });

  test("a result over 1 MiB is named before anything is confirmed", async () => {
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      return "x".repeat(1_100_000);
    });
    await expect(order.execute(undefined)).rejects.toThrow(/1048576/);
    expect(calls).toEqual(["action try"]);
  });

  test.each([
    ["too long", { note: "x".repeat(800) }, /1024/],
    ["a text, which a strict parser before the callback would refuse", "text", /object/],
    ["null", null, /object/],
  ])("an input that is %s is refused before anything is stored", async (_, input, message) => {
    const order = workflows.define("order", (_wf, _input: object) => "done");
    const gid = newGid();
    const execution = order.execute(input as object, { gid });
    await expect(execution).rejects.toMatchObject({ code: "PAYLOAD_INVALID", message: expect.stringMatching(message) });
    expect(await dtm.client.query(gid)).toBeNull();
  });

  test("a reason is cut to what the column holds, and the workflow ends", async () => {
    const order = workflows.define("order", () => {
      throw new Failure("no ".repeat(2_000));
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect((await dtm.client.query(gid))?.rollbackReason).toHaveLength(1023);
  });
});

describe("a refusal of local work", () => {
  class SoldOut extends Failure {}

  test("comes in the first run as it is recorded, and what was thrown is its cause", async () => {
    answers["mail"] = (call) => ({ status: call === 1 ? 500 : 200 });
    const thrown = new SoldOut(`${"x".repeat(1_000)}\ud800${"y".repeat(1_000)}`);
    const caught: Failure[] = [];
    const order = workflows.define("order", async (wf) => {
      await wf
        .local(() => {
          throw thrown;
        })
        .catch((error: Failure) => void caught.push(error));
      await wf.saga(step("mail"));
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(await dtm.ended(gid)).toBe("succeed");
    const [first, replayed] = caught;
    expect(first?.message).toBe(`${"x".repeat(1_000)}\ufffd${"y".repeat(22)}`);
    expect(replayed?.message).toBe(first?.message);
    expect([first, replayed].map((error) => error instanceof SoldOut)).toEqual([false, false]);
    expect([first?.cause, replayed?.cause]).toEqual([thrown, undefined]);
  });

  test("without any text has the workflow undone", async () => {
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      await wf.local(() => {
        throw Object.assign(new Failure(), { message: undefined });
      });
    });
    await expect(order.execute(undefined)).rejects.toMatchObject({
      code: "TRANSACTION_FAILED",
      rollbackReason: "an error without a text",
    });
    expect(calls).toEqual(["action debit", "rollback debit-undo"]);
  });

  test("with a text of 2 MiB has the workflow undone", async () => {
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      await wf.local(() => {
        throw new Failure("x".repeat(2 * 1024 * 1024));
      });
    });
    await expect(order.execute(undefined)).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(calls).toEqual(["action debit", "rollback debit-undo"]);
  });
});

describe("the failure of another transaction", () => {
  const nested = (gid: string) => new TransactionError("TRANSACTION_FAILED", `saga ${gid} was rolled back`, { gid });

  test.each<[string, (wf: Workflow, fail: () => Promise<never>) => Promise<unknown>]>([
    ["in a step", (wf, fail) => wf.local(fail)],
    ["in the handler itself", (_, fail) => fail()],
    ["in a commit", (wf, fail) => wf.local(() => 1, { commit: fail })],
  ])("%s leaves the workflow open", async (_, take) => {
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      await take(wf, () => Promise.reject(nested("nested-1")));
      return "done";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({
      code: "BRANCH_UNKNOWN",
      message: expect.stringMatching(
        /stays open.*passed on the failure of nested-1; throwing Failure in its place rolls it back/,
      ),
      cause: { code: "TRANSACTION_FAILED", gid: "nested-1" },
    });
    await expect(workflows.resume("order", gid, new Uint8Array())).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect((await dtm.client.query(gid))?.status).toBe("prepared");
    expect(calls).toEqual(["action debit"]);
  });

  test("a Failure thrown in its place rolls the workflow back; one thrown after its step has ended leaves it open", async () => {
    const nestedFailed = (cause: unknown): never => {
      throw new Failure("the nested saga failed", { cause });
    };
    const inside = workflows.define("inside", async (wf) => {
      await wf.saga(step("debit"));
      await wf.local(() => Promise.reject(nested("nested-1")).catch(nestedFailed));
    });
    await expect(inside.execute(undefined)).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(calls).toEqual(["action debit", "rollback debit-undo"]);
    const after = workflows.define("after", async (wf) => {
      await wf.local(() => Promise.reject(nested("nested-1"))).catch(nestedFailed);
    });
    await expect(after.execute(undefined)).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
  });
});

describe("one gid", () => {
  test("is executed once at a time: who executes it again joins, and the coordinator is told to come later", async () => {
    const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: stored("prepared") }] });
    const scripted = new Workflows(new ScriptedClient(transport), { callback: "http://app" });
    let runs = 0;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const order = scripted.define("order", async (wf) => {
      runs++;
      await wf.local(() => gate);
      return runs;
    });
    const other = scripted.define("other", () => "done");
    const first = order.execute(undefined, { gid: "g" });
    const second = order.execute(undefined, { gid: "g" });
    await expect(scripted.resume("order", "g", new Uint8Array())).rejects.toBeInstanceOf(Ongoing);
    await expect(other.execute(undefined, { gid: "g" })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
    release();
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(transport.log.filter((operation) => operation === "prepareWorkflow")).toHaveLength(1);
    expect(await scripted.resume("order", "g", new Uint8Array())).toEqual({ status: "succeed" });
    expect(runs).toBe(2);
  });

  test("also with a client of another copy of the packages, which has a real time of its own", async () => {
    let loaded: typeof import("./scripted-client.js") | null = null;
    jest.isolateModules(() => {
      loaded = jest.requireActual<typeof import("./scripted-client.js")>("./scripted-client.js");
    });
    if (loaded === null) throw new Error("nothing was loaded");
    const copy: typeof import("./scripted-client.js") = loaded;
    expect(copy.ScriptedClient).not.toBe(ScriptedClient);
    const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: stored("prepared") }] });
    const scripted = new Workflows(new copy.ScriptedClient(transport), { callback: "http://app" });
    let runs = 0;
    const order = scripted.define("order", () => ++runs);
    await Promise.all([order.execute(undefined, { gid: "g" }), order.execute(undefined, { gid: "g" })]);
    expect(runs).toBe(1);
  });

  describe("joined by a caller with limits of his own", () => {
    /** A workflow in real time whose step ends when it is released. */
    const gated = () => {
      const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: stored("prepared") }] });
      const scripted = new Workflows(new ScriptedClient(transport), { callback: "http://app" });
      const gates: (() => void)[] = [];
      const order = scripted.define("order", async (wf) => {
        const run = gates.length + 1;
        await wf.local(() => new Promise<void>((resolve) => void gates.push(resolve)));
        await wf.local(() => undefined);
        return run;
      });
      const begun = async (run: number): Promise<void> => {
        while (gates.length < run) await new Promise((resolve) => setTimeout(resolve, 1));
      };
      const release = async (run: number): Promise<void> => {
        await begun(run);
        gates[run - 1]?.();
      };
      return { order, begun, release };
    };
    afterEach(() => jest.restoreAllMocks());
    const given = { code: "DEADLINE_EXCEEDED", message: expect.stringContaining("goes on") as unknown };

    test("these end his wait, and the execution goes on", async () => {
      const { order, release } = gated();
      const first = order.execute(undefined, { gid: "g" });
      const controller = new AbortController();
      const signalled = order.execute(undefined, { gid: "g", signal: controller.signal, timeoutMs: 60_000 });
      await expect(order.execute(undefined, { gid: "g", timeoutMs: 20 })).rejects.toMatchObject(given);
      controller.abort(new Error("enough"));
      await expect(signalled).rejects.toMatchObject({ ...given, gid: "g", cause: new Error("enough") });
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
      await release(1);
      expect(await first).toBe(1);
    });

    test("they are checked", async () => {
      const { order, release } = gated();
      const first = order.execute(undefined, { gid: "g" });
      const invalid = { code: "OPTION_INVALID" };
      await expect(order.execute(undefined, { gid: "g", timeoutMs: -1 })).rejects.toMatchObject(invalid);
      await expect(order.execute(undefined, { gid: "g", signal: 5 as never })).rejects.toMatchObject(invalid);
      const gone = { gid: "g", signal: AbortSignal.abort() };
      await expect(order.execute(undefined, gone)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await release(1);
      expect(await first).toBe(1);
    });

    test("nothing of his wait is left when it has ended", async () => {
      const { order, release } = gated();
      const first = order.execute(undefined, { gid: "g" });
      const controller = new AbortController();
      const remove = jest.spyOn(controller.signal, "removeEventListener");
      const set = jest.spyOn(globalThis, "setTimeout");
      const second = order.execute(undefined, { gid: "g", signal: controller.signal, timeoutMs: 59_999 });
      const timers = set.mock.calls.flatMap(([, ms], call) =>
        Number(ms) > 50_000 ? [set.mock.results[call]?.value as unknown] : [],
      );
      const clear = jest.spyOn(globalThis, "clearTimeout");
      await release(1);
      expect(await Promise.all([first, second])).toEqual([1, 1]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(timers).toHaveLength(1);
      expect(clear.mock.calls.flat()).toContain(timers[0]);
      expect(remove).toHaveBeenCalledTimes(1);
    });

    test("the limits of the other one don't end his: one runs it again, the others join", async () => {
      const { order, begun, release } = gated();
      const controller = new AbortController();
      const first = order.execute(undefined, { gid: "g", signal: controller.signal });
      const others = [order.execute(undefined, { gid: "g" }), order.execute(undefined, { gid: "g", timeoutMs: 60_000 })];
      await begun(1);
      controller.abort();
      await release(1);
      await expect(first).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await release(2);
      expect(await Promise.all(others)).toEqual([2, 2]);
    });
  });

  test("of another kind of transaction, or of another workflow, is a conflict", async () => {
    const gid = newGid();
    await dtm.client.msg({ gid }).step({ action: "http://shop/mail", payload: {} }).submit();
    expect(await dtm.ended(gid)).toBe("succeed");
    const order = workflows.define("order", () => "done");
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
    const other = newGid();
    await workflows.define("other", () => "done").execute(undefined, { gid: other });
    await expect(order.execute(undefined, { gid: other })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
  });

  test.each(["", "submitted", "aborting"])("in status %j isn't run", async (status) => {
    let runs = 0;
    const state = stored(status);
    const client = new ScriptedClient(new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: state }] }));
    const order = new Workflows(client, { callback: "http://app" }).define("order", () => void runs++);
    await expect(order.execute(undefined, { gid: "g" })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
    expect(runs).toBe(0);
  });
});

test("only the status of a step's answer counts, whatever its words", async () => {
  answers["debit"] = () => ({ status: 200, body: "ONGOING FAILURE" });
  answers["ship"] = () => ({ status: 409, body: "ONGOING" });
  answers["mail"] = (call) => (call === 1 ? { status: 425, body: "FAILURE" } : { status: 200 });
  const order = workflows.define("order", async (wf) => {
    const debited = (await wf.saga(step("debit"))).text();
    const shipped = await wf.saga(step("ship")).catch((error: unknown) => error);
    await wf.saga(step("mail"));
    return { debited, shipped: shipped instanceof Failure };
  });
  const gid = newGid();
  await expect(order.execute(undefined, { gid })).rejects.toBeInstanceOf(Ongoing);
  expect(await dtm.ended(gid)).toBe("succeed");
  expect(await order.execute(undefined, { gid })).toEqual({ debited: "ONGOING FAILURE", shipped: true });
});

test("the password of a step's URL isn't in the reason of a rollback", async () => {
  answers["ship"] = () => refused;
  const order = workflows.define("order", async (wf) => {
    await wf.saga({ ...step("ship"), action: "http://user:s3cret@shop/ship" });
  });
  await expect(order.execute(undefined)).rejects.toMatchObject({
    code: "TRANSACTION_FAILED",
    rollbackReason: expect.stringMatching(/ at http:\/\/shop\/ship was refused: no stock$/) as unknown,
  });
});

describe("the caller's limits", () => {
  const resumed = expect.stringMatching(/is stored and stays open, and the coordinator has it resumed/) as unknown;

  test("a signal ends it between two steps, and the coordinator has it resumed", async () => {
    const controller = new AbortController();
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      controller.abort(new Error("enough"));
      await wf.saga(step("ship"));
    });
    const gid = newGid();
    const error: unknown = await order.execute(undefined, { gid, signal: controller.signal }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionError);
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", gid, message: resumed, cause: new Error("enough") });
    expect(calls).toEqual(["action debit"]);
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action debit", "action ship"]);
  });

  test("so does its time", async () => {
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      if (calls.length === 1) await dtm.advance(3_000);
      await wf.saga(step("ship"));
    });
    const gid = newGid();
    const given = { code: "DEADLINE_EXCEEDED", gid, message: resumed };
    await expect(order.execute(undefined, { gid, timeoutMs: 2_000 })).rejects.toMatchObject(given);
    expect(calls).toEqual(["action debit"]);
  });

  test.each<[string, (wf: Workflow) => unknown]>([
    ["between two steps", (wf) => wf.saga(step("ship"))],
    ["between two local steps", (wf) => wf.local(() => void calls.push("local"))],
    ["before a commit", (wf) => wf.saga(step("ship")).catch(() => undefined)],
    ["before its end is told", () => "done"],
  ])("a client that is closed %s says that the workflow is stored", async (_, next) => {
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      dtm.client.close();
      await next(wf);
    });
    const gid = newGid();
    const error: unknown = await order.execute(undefined, { gid }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionError);
    expect(error).toMatchObject({ code: "CLIENT_CLOSED", gid, message: expect.stringMatching(/resumed/) as unknown });
    expect(calls).toEqual(["action try"]);
  });

  test("nothing of that is said before anything is stored", async () => {
    const order = workflows.define("order", () => "done");
    dtm.client.close();
    const error: unknown = await order.execute(undefined).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(error).not.toBeInstanceOf(TransactionError);
  });
});

describe("from JavaScript", () => {
  const local = (): void => void calls.push("local");

  test.each<[string, (wf: Workflow) => Promise<unknown>]>([
    ["no compensation", (wf) => wf.saga({ action: "http://shop/debit", payload: {} } as never)],
    ["no step at all", (wf) => wf.saga(undefined as never)],
    ["no cancel", (wf) => wf.tcc({ try: "http://shop/try", confirm: "http://shop/confirm", payload: {} } as never)],
    ["an address that only a coordinator may know", (wf) => wf.saga({ ...step("debit"), action: "nacos://shop/debit" })],
    ["a name that no step knows", (wf) => wf.saga({ ...step("debit"), payloads: 1 } as WorkflowSagaStep<object>)],
    ["… nor a TCC's", (wf) => wf.tcc({ ...seat, commit: "http://shop/confirm" } as WorkflowTccStep<object>)],
    ["local work that is none", (wf) => wf.local(5 as never)],
    ["no options of local work", (wf) => wf.local(local, null as never)],
    ["a name that local work doesn't know", (wf) => wf.local(local, { rollback: local } as LocalStepOptions)],
    ["an undo that is none", (wf) => wf.local(local, { undo: null as never })],
    ["a commit that is none", (wf) => wf.local(local, { commit: "http://shop/confirm" as never })],
    ["no database of an XA step", (wf) => wf.xa(null as never, local)],
    ["… and a pool in its place", (wf) => wf.xa({ connect: local } as never, local)],
    ["XA work that is none", (wf) => wf.xa(memoryXa([]), 5 as never)],
  ])("%s is a coded error, and nothing is called", async (_, take) => {
    const order = workflows.define("order", async (wf) => void (await take(wf)));
    await expect(order.execute(undefined)).rejects.toMatchObject({ code: "STEP_INVALID" });
    expect(calls).toEqual([]);
  });

  test("a handler that is none, and no options", () => {
    expect(() => workflows.define("order", undefined as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(() => new Workflows(dtm.client, undefined as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test.each<[unknown, string]>([
    [undefined, "undefined"],
    [{}, "an object"],
    ["http://dtm", '"http://dtm"'],
  ])("%j in the place of a client", (client, found) => {
    const invalid = { code: "OPTION_INVALID", message: `client: expected an HttpClient or a GrpcClient, found ${found}` };
    const make = () => new Workflows(client as Client, { callback: "http://app/workflows" });
    expect(make).toThrow(expect.objectContaining(invalid));
  });

  test.each<[string, object]>([
    ["callback: expected a text", {}],
    ["callback: expected a text", { callback: 5 }],
    ["callbacks: no such option", { callback: "http://app/workflows", callbacks: 1 }],
  ])("%s: of the options %j", (message, options) => {
    const invalid = { code: "OPTION_INVALID", message: expect.stringContaining(message) as unknown };
    expect(() => new Workflows(dtm.client, options as WorkflowsOptions)).toThrow(expect.objectContaining(invalid));
  });

  test.each<[unknown, unknown]>([
    ["order", null],
    ["order", { compensateErrorBranches: true }],
    ["order", { compensateErrorBranch: "yes" }],
    [5, {}],
  ])("a workflow named %j with the settings %j", (name, settings) => {
    const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown as Error;
    expect(() => workflows.define(name as string, () => "done", settings as WorkflowSettings)).toThrow(invalid);
  });
});

describe("a decision", () => {
  test("to undo, thrown by the handler itself, stays one when a later run would decide otherwise", async () => {
    answers["debit-undo"] = (call) => ({ status: call === 1 ? 500 : 200 });
    let runs = 0;
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      if (++runs === 1) throw new Failure("closed today");
      return "fine";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect(await dtm.ended(gid)).toBe("failed");
    expect(runs).toBe(2);
    await expect(order.execute(undefined, { gid })).rejects.toThrow("closed today");
  });

  test("to undo isn't carried out when something is confirmed already", async () => {
    answers["confirm"] = (call) => ({ status: call === 1 ? 500 : 200 });
    let runs = 0;
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      await wf.tcc({ ...seat, confirm: "http://shop/confirm-last" });
      if (++runs > 1) throw new Failure("closed since");
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    const again = order.execute(undefined, { gid });
    await expect(again).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT", message: expect.stringContaining("decide alike") });
    expect(calls.filter((call) => call.startsWith("rollback"))).toEqual([]);
    expect((await dtm.client.query(gid))?.status).toBe("prepared");
  });

  test("to confirm isn't carried out when another language's client has begun to undo", async () => {
    const gid = newGid();
    answers["try"] = (call) => ({ status: call === 1 ? 500 : 200 });
    const order = workflows.define("order", async (wf) => void (await wf.tcc(seat)));
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    const registration = { gid, transType: "workflow" as const, branchId: "01", payload: "" };
    await coordinatorOf(dtm.client).registerBranch({ ...registration, data: { op: "rollback", status: "succeed" } }, {});
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
    expect(calls).toEqual(["action try", "action try"]);
  });
});

test("data that isn't JSON, as dtm's workflows may carry, is resumed with", async () => {
  const seen: unknown[] = [];
  workflows.define("order", (_wf, input: object) => void seen.push(input));
  expect(await workflows.resume("order", newGid(), Buffer.from([0xff, 0x01]))).toEqual({ status: "succeed" });
  expect(seen).toEqual([Buffer.from([0xff, 0x01])]);
});

export function doesNotCompile(): void {
  // @ts-expect-error a number by itself is refused by execute
  workflows.define("order", (_wf, _amount: number) => "done");
  // @ts-expect-error … and so is a text
  workflows.define("order", (_wf, _name: string) => "done");
  const order = workflows.define("order", (_wf, input: { readonly amount: number }) => input.amount);
  // @ts-expect-error the amount is a number
  void order.execute({ amount: "30" });
  // @ts-expect-error the input is missing
  void order.execute(undefined);
  void order.execute({ amount: 30 }).then((amount: number) => amount);
  // @ts-expect-error the result is a number
  void order.execute({ amount: 30 }).then((amount: string) => amount);
  const debit = branch<{ readonly amount: number }>("http://bank/debit");
  workflows.define("payloads", async (wf) => {
    await wf.saga({ action: debit, compensate: debit, payload: { amount: 30 } });
    // @ts-expect-error the payload is missing
    await wf.saga({ action: debit, compensate: debit });
    // @ts-expect-error neither a compensation nor noCompensation()
    await wf.saga({ action: debit, payload: { amount: 30 } });
    // @ts-expect-error the amount is a number
    await wf.tcc({ try: debit, confirm: debit, cancel: debit, payload: { amount: "30" } });
    const local: number = await wf.local(() => 5);
    // @ts-expect-error the step's result is a number
    const text: string = await wf.local(() => 5);
    return [local, text];
  });
}

describe("an XA step", () => {
  test("that another execution has prepared isn't recorded with an empty result", async () => {
    const session = { ...(await memoryXa([]).open()), start: async () => "exists" as const };
    const prepared = async () => [{ xid: `${gid}-01`, ageSeconds: 1 }];
    const database = { ...memoryXa([]), open: async () => ({ ...session, listPrepared: prepared }) };
    const gid = newGid();
    const order = workflows.define("order", async (wf) => wf.xa(database, () => "worked"));
    await expect(order.execute(undefined, { gid })).rejects.toBeInstanceOf(Ongoing);
    expect((await dtm.client.query(gid))?.branches).toEqual([]);
  });

  test("that died before it was prepared is rolled back at once, and isn't committed", async () => {
    const log: string[] = [];
    const database = memoryXa(log);
    const order = workflows.define("order", async (wf) => {
      const done = wf.xa(database, () => "worked");
      return done.catch((error: unknown) => {
        if (!(error instanceof Failure)) throw error;
        return "without it";
      });
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toThrow("crashed");
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(await order.execute(undefined, { gid })).toBe("without it");
    expect(log).toEqual(["prepare", "rollback"]);
  });
});

/** A database whose first prepare dies. */
function memoryXa(log: string[]): XaDatabase<null> {
  let reason: string | null = null;
  const session: XaSession<null> = {
    connection: null,
    start: async () => "started",
    insertRow: async () => reason === null,
    prepare: async () => {
      log.push("prepare");
      throw new Error("crashed");
    },
    abandon: async () => undefined,
    commit: async () => {
      log.push("commit");
      return "unknown";
    },
    rollback: async () => {
      log.push("rollback");
      return "unknown";
    },
    insertRollbackRow: async () => {
      reason = "rollback";
    },
    readReason: async () => reason,
    listPrepared: async () => [],
    close: async () => undefined,
    destroy: () => undefined,
  };
  return { maxXidBytes: 128, title: "memory", detachMs: 0, open: async () => session };
}
