/** Workflows and their corners, on the real coordinator in process and in virtual time. */
import type { RequestListener } from "node:http";
import type { XaDatabase, XaSession } from "@dtm/barrier/xa";
import { coordinatorOf, type Transport } from "@dtm/client-core/internal";
import { ScriptedTransport } from "../../client-core/test/scripted.js";
import { startCoordinator, type TestCoordinator } from "../../testing/src/index.js";
import { branch, Client, Failure, Ongoing, type Workflow, Workflows, workflowListener } from "../src/index.js";

class ScriptedClient extends Client {
  constructor(transport: Transport) {
    super(transport, {});
  }
}

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

describe("the caller's limits", () => {
  test("a signal ends it between two steps, and the coordinator has it resumed", async () => {
    const controller = new AbortController();
    const order = workflows.define("order", async (wf) => {
      await wf.saga(step("debit"));
      controller.abort(new Error("enough"));
      await wf.saga(step("ship"));
    });
    const gid = newGid();
    const execution = order.execute(undefined, { gid, signal: controller.signal });
    await expect(execution).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
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
    await expect(order.execute(undefined, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(calls).toEqual(["action debit"]);
  });
});

describe("from JavaScript", () => {
  test.each<[string, (wf: Workflow) => Promise<unknown>]>([
    ["no compensation", (wf) => wf.saga({ action: "http://shop/debit", payload: {} } as never)],
    ["no step at all", (wf) => wf.saga(undefined as never)],
    ["no cancel", (wf) => wf.tcc({ try: "http://shop/try", confirm: "http://shop/confirm", payload: {} } as never)],
    ["an address that only a coordinator may know", (wf) => wf.saga({ ...step("debit"), action: "nacos://shop/debit" })],
    ["local work that is none", (wf) => wf.local(5 as never)],
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
  return { maxXidBytes: 128, title: "memory", detachMs: 0, place: "memory", open: async () => session };
}
