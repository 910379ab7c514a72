/** Several runs of one workflow: with other steps, with another input, side by side in two processes. */
import type { RequestListener } from "node:http";
import type { XaDatabase, XaSession } from "@dtm/barrier/xa";
import { coordinatorOf, toWireOptions } from "@dtm/client-core/internal";
import { DEFAULT_ENGINE_SETTINGS } from "../../../apps/server/src/engine/settings.js";
import { type Scripted, ScriptedTransport } from "../../client-core/test/scripted.js";
import { startCoordinator, type TestCoordinator, type TestCoordinatorOptions } from "../../testing/src/index.js";
import { Failure, Ongoing, TransactionError, type Workflow, Workflows, workflowListener } from "../src/index.js";
import { ScriptedClient } from "./scripted-client.js";

let dtm: TestCoordinator;
let workflows: Workflows;
/** `<op> <path>` of every branch call. */
let calls: string[];
/** What a path of the shop answers; 200 unless said otherwise. */
let answers: Record<string, (call: number) => { readonly status: number; readonly body?: string }>;
let callbacks: number;

async function start(options: TestCoordinatorOptions = {}): Promise<void> {
  dtm = await startCoordinator(options);
  workflows = new Workflows(dtm.client, { callback: "http://app/workflows" });
  const listener = workflowListener(workflows, { onError: () => undefined });
  dtm.serve("http://app", (request, response) => {
    callbacks++;
    listener(request, response);
  });
  dtm.serve("http://shop", shop);
}

beforeEach(async () => {
  calls = [];
  answers = {};
  callbacks = 0;
  await start();
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
const statusOf = async (gid: string) => (await dtm.client.query(gid))?.status;
let gids = 0;
const newGid = (): string => `runs-test-${++gids}`;
const text = (part: RegExp) => expect.stringMatching(part) as unknown;

/** As another process does, or a client in another language. */
const register = (gid: string, branchId: string, op: string, { status = "succeed", payload = "" } = {}) =>
  coordinatorOf(dtm.client).registerBranch({ gid, transType: "workflow", branchId, payload, data: { op, status } }, {});

/** The next run of a workflow of which some run has died after the steps that it took. */
const dies = (): never => {
  throw new Error("the process dies here");
};

describe("a run that ends without a step that an earlier one has carried out", () => {
  /** `way` is what the handler does in each run but the first, which debits and dies. */
  const define = (way: (wf: Workflow) => unknown) => {
    let runs = 0;
    return workflows.define("order", async (wf) => {
      if (++runs > 1) return way(wf);
      await wf.saga(step("debit"));
      return dies();
    });
  };
  const refuses = (): never => {
    throw new Failure("not enough money");
  };

  test.each<[string, () => unknown]>([
    ["by a Failure", refuses],
    ["well", () => "nothing to do"],
  ])("%s, is a conflict that names the step, and leaves the workflow open", async (_, way) => {
    let isMended = false;
    const order = define((wf) => (isMended ? wf.saga(step("debit")).then(refuses) : way()));
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toThrow("dies");
    const again: unknown = await order.execute(undefined, { gid }).catch((error: unknown) => error);
    expect(again).toBeInstanceOf(TransactionError);
    expect(again).toMatchObject({ code: "TRANSACTION_CONFLICT", gid, message: text(/take step 01, .*stays open.*wf\.local/) });
    await dtm.advance(15_000);
    expect(callbacks).toBeGreaterThan(0);
    expect(await statusOf(gid)).toBe("prepared");
    expect(calls).toEqual(["action debit"]);
    isMended = true;
    expect(await dtm.ended(gid)).toBe("failed");
    expect(calls).toEqual(["action debit", "rollback debit-undo"]);
  });

  test("is one also for an XA step that was only begun", async () => {
    const order = define(refuses);
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toThrow("dies");
    await register(gid, "01", "rollback");
    await register(gid, "02", "business");
    const again = order.execute(undefined, { gid });
    await expect(again).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT", message: text(/step 02/) });
  });

  test("is none where the step is undone already, or had refused", async () => {
    const order = define(refuses);
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toThrow("dies");
    await register(gid, "01", "rollback");
    await register(gid, "02", "action", { status: "failed", payload: "no stock" });
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(calls).toEqual(["action debit"]);
  });

  test("is none for steps side by side, one of which refuses", async () => {
    answers["ship"] = (call) => (call === 1 ? { status: 500 } : refused);
    const order = workflows.define("order", async (wf) => {
      await Promise.all([wf.saga(step("debit")), wf.saga(step("ship")), wf.saga(step("mail"))]);
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(calls.slice(4)).toEqual(["rollback mail-undo", "rollback ship-undo", "rollback debit-undo"]);
  });

  test("is none for what another language's client has recorded of the same steps", async () => {
    const gid = newGid();
    const prepared = { gid, transType: "workflow" as const, options: toWireOptions({}), queryPrepared: "http://app/workflows" };
    await coordinatorOf(dtm.client).prepareWorkflow({ ...prepared, customData: '{"name":"order","data":null}' }, {});
    await register(gid, "01", "action", { payload: '{"seats":2}' });
    await register(gid, "02", "business");
    await register(gid, "02", "action");
    const order = workflows.define("order", async (wf) => {
      const debited = await wf.saga(step("debit"));
      await wf.local(() => void calls.push("local"));
      return debited.json();
    });
    expect(await order.execute(undefined, { gid })).toEqual({ seats: 2 });
    expect(calls).toEqual([]);
  });
});

describe("the same gid with another input", () => {
  const other = { code: "TRANSACTION_CONFLICT", message: text(/another input/) };
  const define = () => {
    let isBroken = true;
    const transfer = workflows.define("transfer", async (wf, input: { readonly amount: number; readonly note?: string }) => {
      await wf.local(() => void calls.push(`debit ${input.amount}`));
      if (isBroken) dies();
      await wf.local(() => void calls.push(`credit ${input.amount}`));
      return { moved: input.amount };
    });
    return {
      transfer,
      mend: () => {
        isBroken = false;
      },
    };
  };

  test("is a conflict while the workflow is open, and when it has ended", async () => {
    const { transfer, mend } = define();
    const gid = newGid();
    await expect(transfer.execute({ amount: 30, note: "ü" }, { gid })).rejects.toThrow("dies");
    mend();
    await expect(transfer.execute({ amount: 50, note: "ü" }, { gid })).rejects.toMatchObject({ ...other, gid });
    await expect(transfer.execute({ amount: 30 }, { gid })).rejects.toMatchObject(other);
    expect(calls).toEqual(["debit 30"]);
    // The same input in other words.
    expect(await transfer.execute({ note: "ü", amount: 30 }, { gid })).toEqual({ moved: 30 });
    expect(calls).toEqual(["debit 30", "credit 30"]);
    await expect(transfer.execute({ amount: 70 }, { gid })).rejects.toMatchObject(other);
    expect(await transfer.execute({ amount: 30, note: "ü" }, { gid })).toEqual({ moved: 30 });
  });

  test("is a conflict for who would join its execution in this process", async () => {
    const state = { gid: "g", transType: "", customData: "", status: "prepared", rollbackReason: "", result: "", progresses: [] };
    const transport = new ScriptedTransport({ prepareWorkflow: [{ kind: "done", value: state }] });
    const scripted = new Workflows(new ScriptedClient(transport), { callback: "http://app" });
    const order = scripted.define("order", (wf, { amount }: { readonly amount: number }) => wf.local(() => amount));
    const first = order.execute({ amount: 30 }, { gid: "g" });
    await expect(order.execute({ amount: 50 }, { gid: "g" })).rejects.toMatchObject(other);
    expect(await Promise.all([first, order.execute({ amount: 30 }, { gid: "g" })])).toEqual([30, 30]);
  });
});

describe("two processes at one workflow", () => {
  /**
   * Runs a workflow whose handler is told which run it is. What awaits `meanwhile` takes as long, in the first run, as the whole of the second one,
   * which the coordinator has asked for.
   */
  async function race(
    handler: (wf: Workflow, run: number, meanwhile: () => Promise<void>) => Promise<unknown>,
    options: { readonly dies?: boolean } = {},
  ): Promise<{ readonly gid: string; readonly outcome: unknown }> {
    const gid = newGid();
    let runs = 0;
    const second = async (): Promise<void> => {
      const resumed = workflows.resume("order", gid, new Uint8Array());
      if (options.dies === true) await expect(resumed).rejects.toThrow("dies");
      else await resumed;
    };
    const order = workflows.define("order", (wf) => {
      const run = ++runs;
      return handler(wf, run, async () => {
        if (run === 1) await second();
      });
    });
    const outcome = await order.execute(undefined, { gid }).catch((error: unknown) => error);
    return { gid, outcome };
  }

  test.each([
    ["a short result", "done"],
    ["a result that has a row of its own", "x".repeat(2_000)],
  ])("the first one gets the result of the second, which was faster: %s", async (_, result) => {
    const { gid, outcome } = await race(async (wf, _run, meanwhile) => {
      await wf.local(meanwhile);
      await wf.saga(step("ship"));
      return result;
    });
    expect(outcome).toBe(result);
    expect(await statusOf(gid)).toBe("succeed");
    expect(calls).toEqual(["action ship"]);
  });

  test("the first one gets the failure of the second", async () => {
    answers["ship"] = () => refused;
    const { gid, outcome } = await race(async (wf, _run, meanwhile) => {
      await wf.local(meanwhile);
      await wf.saga(step("ship"));
    });
    expect(outcome).toMatchObject({ code: "TRANSACTION_FAILED", gid, rollbackReason: text(/no stock/) });
  });

  test("… also when its handler makes something else of what the step throws", async () => {
    const { outcome } = await race(async (wf, _run, meanwhile) => {
      await wf.local(meanwhile).catch(() => {
        throw new Failure("something else");
      });
      return "done";
    });
    expect(outcome).toBe("done");
  });

  test("the first one goes on with what the second has recorded of the step", async () => {
    const { gid, outcome } = await race(
      async (wf, run, meanwhile) => {
        const by = await wf.local(async () => {
          await meanwhile();
          return run;
        });
        if (run === 2) dies();
        await wf.saga(step("ship"));
        return { by };
      },
      { dies: true },
    );
    expect(outcome).toEqual({ by: 2 });
    expect(await statusOf(gid)).toBe("succeed");
    expect(calls).toEqual(["action ship"]);
  });

  test("… of its refusal as well, and undoes what it has done itself", async () => {
    const { gid, outcome } = await race(
      async (wf, run, meanwhile) => {
        const pay = async (): Promise<void> => {
          await meanwhile();
          if (run === 2) throw new Failure("sold out");
          calls.push("paid");
        };
        const paid = wf.local(pay, { undo: () => void calls.push("undone") });
        await paid.catch((error: unknown) => {
          if (run === 2) dies();
          throw error;
        });
      },
      { dies: true },
    );
    expect(outcome).toMatchObject({ code: "TRANSACTION_FAILED", gid, rollbackReason: "sold out" });
    expect(calls).toEqual(["paid", "undone"]);
  });

  test("the first one goes on with what the second has confirmed", async () => {
    let confirms = 0;
    const gid = newGid();
    answers["try"] = () => ({ status: 200 });
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      await wf.local(() => 1, {
        commit: async () => {
          if (++confirms === 1) await register(gid, "02", "commit");
        },
      });
      return "done";
    });
    expect(await order.execute(undefined, { gid })).toBe("done");
    expect(calls).toEqual(["action try", "commit confirm"]);
  });

  test("an XA step that the second has begun isn't prepared by the first, who is told to ask", async () => {
    const log: string[] = [];
    const gid = newGid();
    const order = workflows.define("order", (wf) => wf.xa(memoryXa(log), () => register(gid, "01", "business")));
    const outcome: unknown = await order.execute(undefined, { gid }).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Ongoing);
    expect(outcome).toMatchObject({ message: text(/ask for the outcome/) });
    expect(log).toEqual(["abandon"]);
  });

  test.each<[string, Scripted]>([
    ["refused", { kind: "refused", message: "storage: UniqueKeyConflict" }],
    ["in conflict", { kind: "conflict", message: "no trans with gid: g status: prepared found FAILURE" }],
  ])("who finds neither an end nor the step, %s, is told to ask and not to begin anew", async (_, registerBranch) => {
    const state = { gid: "g", transType: "", customData: "", status: "prepared", rollbackReason: "", result: "", progresses: [] };
    const script = { prepareWorkflow: [{ kind: "done", value: state } as const], registerBranch: [registerBranch] };
    const scripted = new Workflows(new ScriptedClient(new ScriptedTransport(script)), { callback: "http://app" });
    const order = scripted.define("order", (wf) => wf.local(() => 1));
    const outcome: unknown = await order.execute(undefined, { gid: "g" }).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(TransactionError);
    const message = text(/stays open.*ask for its outcome.*don't begin it anew/);
    expect(outcome).toMatchObject({ code: "TRANSACTION_RUNNING", gid: "g", status: "prepared", message });
  });
});

describe("the interval of callbacks", () => {
  const settings = () => {
    const { types } = DEFAULT_ENGINE_SETTINGS;
    return { types: { ...types, workflow: { ...types.workflow, retryInterval: 2 } } };
  };

  test.each<[string, object, boolean]>([
    ["10 s where none is given, whatever the coordinator's", {}, false],
    ["… or 0", { retryIntervalSeconds: 0 }, false],
    ["the given one", { retryIntervalSeconds: 3 }, true],
  ])("is %s", async (_, options, isCalledBack) => {
    await dtm.stop();
    await start({ settings: settings() });
    // Virtual time has no memory of what this process runs: the second run stops at once.
    let runs = 0;
    answers["ship"] = () => refused;
    const order = workflows.define("order", async (wf) => {
      if (++runs > 1) dies();
      await dtm.advance(8_000);
      await wf.saga(step("ship"));
    });
    await expect(order.execute(undefined, options)).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(callbacks > 0).toBe(isCalledBack);
    expect(calls).toEqual(isCalledBack ? ["action ship", "rollback ship-undo"] : ["action ship"]);
  });
});

/** A database that tells what became of its transaction. */
function memoryXa(log: string[]): XaDatabase<null> {
  const session: XaSession<null> = {
    connection: null,
    start: async () => "started",
    insertRow: async () => true,
    prepare: async () => void log.push("prepare"),
    abandon: async () => void log.push("abandon"),
    commit: async () => "unknown",
    rollback: async () => "unknown",
    insertRollbackRow: async () => undefined,
    readReason: async () => null,
    listPrepared: async () => [],
    close: async () => undefined,
    destroy: () => undefined,
  };
  return { maxXidBytes: 128, title: "memory", detachMs: 0, open: async () => session };
}
