import { anInput, sends, undoable } from "../../test/kit/inputs.js";
import { CREATED } from "../../test/kit/views.js";
import type { TransactionInput } from "./coordinator.js";
import { type Creation, createLoaded, newBranch } from "./creation.js";
import { DEFAULT_ENGINE_SETTINGS } from "./settings.js";
import type { GlobalStatus, Loaded, TransactionType } from "./transaction.js";

const TOPICS: Readonly<Record<string, readonly string[]>> = { one: ["/s1"], three: ["/s1", "/s2", "/s3"], none: [] };
const topics = { subscribers: async (topic: string): Promise<readonly string[] | null> => TOPICS[topic] ?? null };

async function create(input: TransactionInput, fields: Partial<Creation> = {}): Promise<Loaded> {
  const type = input.type as TransactionType;
  const status: GlobalStatus = "submitted";
  const settings = DEFAULT_ENGINE_SETTINGS.types[type];
  return createLoaded(input, { type, status, settings, owner: "node:1", now: CREATED, ...fields }, topics);
}

const shape = (loaded: Loaded): string[] => loaded.branches.map(({ branchId, op, url }) => `${branchId} ${op} ${url}`);

describe("branches (protocol.md 4.3)", () => {
  test("saga: compensation before action, both with the step's payload", async () => {
    const loaded = await create(anInput("saga", "g", { steps: undoable("/a", "/b") }));
    expect(shape(loaded)).toEqual(["01 compensate /a-undo", "01 action /a", "02 compensate /b-undo", "02 action /b"]);
    expect(loaded.branches.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      '{"step":0}',
      '{"step":0}',
      '{"step":1}',
      '{"step":1}',
    ]);
    expect(loaded.branches.every(({ status, gid }) => status === "prepared" && gid === "g")).toBe(true);
  });

  test("ids have two digits and go on from there", async () => {
    const loaded = await create(anInput("msg", "g", { steps: sends(...Array.from({ length: 101 }, (_, i) => `/${i}`)) }));
    expect([0, 8, 9, 98, 99, 100].map((i) => loaded.branches[i]?.branchId)).toEqual(["01", "09", "10", "99", "100", "101"]);
  });

  test.each(["tcc", "xa", "workflow"])("%s: none, whatever steps say", async (type) => {
    expect(shape(await create(anInput(type, "g", { steps: sends("/a") })))).toEqual([]);
  });

  test("a saga's topic:// is not a topic", async () => {
    expect(shape(await create(anInput("saga", "g", { steps: sends("topic://one") })))).toEqual([
      "01 compensate ",
      "01 action topic://one",
    ]);
  });
});

describe("topics", () => {
  test("several subscribers: ids of two parts, in their order, with the step's payload", async () => {
    const loaded = await create(anInput("msg", "g", { steps: sends("/a", "topic://three", "/b") }));
    expect(shape(loaded)).toEqual(["01 action /a", "02-01 action /s1", "02-02 action /s2", "02-03 action /s3", "03 action /b"]);
    expect(Buffer.from(loaded.branches[2]?.payload ?? []).toString()).toBe('{"step":1}');
  });

  test("more than 10,000 branches in all are refused", async () => {
    const steps = sends(...Array.from({ length: 5_000 }, () => "topic://three"));
    await expect(create(anInput("msg", "g", { steps }))).rejects.toThrow("a transaction has at most 10000 branches, found 10002");
  });

  test("one subscriber: the plain id", async () => {
    expect(shape(await create(anInput("msg", "g", { steps: sends("topic://one") })))).toEqual(["01 action /s1"]);
  });

  test.each(["topic://none", "topic://unknown", "topic://"])("%s is refused", async (action) => {
    await expect(create(anInput("msg", "g", { steps: sends(action) }))).rejects.toMatchObject({
      code: "TOPIC_NOT_FOUND",
      message: "topic not found",
    });
  });
});

describe("the first schedule, seconds from now", () => {
  const due = async (
    type: TransactionType,
    fields: Partial<Creation>,
    options: Parameters<typeof anInput>[2] = {},
  ): Promise<number> => ((await create(anInput(type, "g", options), fields)).transaction.nextCronTime - CREATED) / 1000;

  test.each<[string, TransactionType, Partial<Creation>, Parameters<typeof anInput>[2], number]>([
    ["submitted and driven at once: one interval, should this node die", "saga", {}, {}, 10],
    ["its own interval", "saga", {}, { options: { retryInterval: 3 } }, 3],
    ["submitted without a driver: now (R17)", "saga", { owner: "" }, {}, 0],
    ["a prepared tcc: one interval (protocol.md 4.1)", "tcc", { status: "prepared", owner: "" }, {}, 10],
    [
      "a prepared msg with a timeout below the interval: that",
      "msg",
      { status: "prepared", owner: "" },
      { options: { timeoutToFail: 5 } },
      5,
    ],
    [
      "a prepared workflow: its first recall",
      "workflow",
      { status: "prepared", owner: "" },
      { options: { timeoutToFail: 500 } },
      10,
    ],
    ["a prepared saga", "saga", { status: "prepared", owner: "" }, {}, 10],
    [
      "a tcc that never times out",
      "tcc",
      { status: "prepared", owner: "", settings: { ...DEFAULT_ENGINE_SETTINGS.types.tcc, timeoutToFail: 0 } },
      {},
      10,
    ],
  ])("%s", async (_name, type, fields, options, seconds) => {
    expect(await due(type, fields, options)).toBe(seconds);
  });
});

test("a delay counts from submit: only what is submitted has a submit time (R8)", async () => {
  expect((await create(anInput("msg", "g"))).transaction.submitTime).toBe(CREATED);
  expect((await create(anInput("msg", "g"), { status: "prepared" })).transaction.submitTime).toBeNull();
});

describe("custom_data is judged before anything is stored (R22)", () => {
  test.each([
    ["saga", "{", /custom_data is not JSON/],
    ["saga", '{"concurrent":true,"orders":{"1":[2]}}', /orders names step 2, but there are 2 steps/],
    ["saga", '{"concurrent":true,"orders":{"0":[1],"1":[0]}}', /orders form a cycle/],
    ["msg", '{"delay":-5}', /delay is not a number of seconds/],
    ["msg", '{"delay":316224001}', /delay is over ten years/],
    ["workflow", "nonsense", /custom_data is not JSON/],
  ])("%s: %s", async (type, customData, message) => {
    const refused = create(anInput(type, "g", { steps: undoable("/a", "/b"), customData }));
    await expect(refused).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringMatching(message) });
  });
});

test("a branch that comes in settled has its time", () => {
  const branch = (status: "prepared" | "succeed" | "failed"): unknown => {
    const { finishTime, rollbackTime } = newBranch({ gid: "g" }, CREATED, {
      branchId: "01",
      op: "action",
      url: "",
      payload: new Uint8Array(0),
      status,
    });
    return { finishTime, rollbackTime };
  };
  expect(branch("prepared")).toEqual({ finishTime: null, rollbackTime: null });
  expect(branch("succeed")).toEqual({ finishTime: CREATED, rollbackTime: null });
  expect(branch("failed")).toEqual({ finishTime: null, rollbackTime: CREATED });
});
