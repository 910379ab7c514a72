/** Bad input gets a stable code, and nothing is sent. What TypeScript refuses is asked for as from JavaScript. */
import {
  type Client,
  type ClientOptions,
  type MsgStep,
  noCompensation,
  type ParentBranch,
  type SagaStep,
  type TccBranch,
  type XaBranch,
  type XaRegistration,
} from "../src/index.js";
import { ScriptedClient, ScriptedTransport } from "./scripted.js";

let transport: ScriptedTransport;
let client: Client;
beforeEach(() => {
  transport = new ScriptedTransport({});
  client = new ScriptedClient(transport);
});
afterEach(() => expect(transport.log).toEqual([]));

const fromJavaScript = (step: object): SagaStep<unknown> => step as SagaStep<unknown>;

test.each([
  ["no compensation", { action: "http://a" }, "step 0: expected compensate, an address or noCompensation(), found undefined"],
  ["an empty compensation", { action: "http://a", compensate: "" }, 'found ""'],
  ["no action", { compensate: noCompensation() }, "step 0: action: expected a URL or what branch(url) made, found undefined"],
  ["a number as action", { action: 5, compensate: "http://a" }, "found 5"],
  ["an address without url", { action: { uri: "x" }, compensate: "http://a" }, "found an object"],
  [
    "a misspelt payload",
    { action: "http://a", compensate: "http://b", payloads: 1 },
    "step 0: payloads: no such option; known are action",
  ],
  ["after as a number", { action: "http://a", compensate: "http://b", after: 1 }, "after: expected an array"],
])("a saga's step with %s", (_, step, message) => {
  expect(() => client.saga().step(fromJavaScript(step))).toThrow(
    expect.objectContaining({ code: "STEP_INVALID", message: expect.stringContaining(message) as unknown }),
  );
});

test("from JavaScript: what is no object or no function", async () => {
  const nothing = null as never;
  const step = expect.objectContaining({ code: "STEP_INVALID" }) as unknown as Error;
  const option = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown as Error;
  expect(() => client.saga(nothing)).toThrow(option);
  expect(() => client.msg(nothing)).toThrow(option);
  expect(() => client.saga().step(undefined as never)).toThrow(step);
  expect(() => client.msg().step(undefined as never)).toThrow(step);
  const saga = client.saga().step({ action: "http://a", compensate: noCompensation() });
  await expect(saga.submit(nothing)).rejects.toEqual(option);
  await expect(client.tcc({}, 5 as never)).rejects.toEqual(option);
  await expect(client.xa(5 as never)).rejects.toEqual(option);
  await expect(client.query("g", nothing)).rejects.toEqual(option);
  await expect(client.registerXaBranch(nothing)).rejects.toEqual(option);
  await expect(
    client
      .msg()
      .step({ action: "http://a" })
      .doAndSubmit("http://q", 5 as never),
  ).rejects.toEqual(option);
  const parent = { gid: "g", transType: "tcc", branchId: "01" };
  await expect(client.tccFrom(parent).branch(undefined as never)).rejects.toEqual(step);
  await expect(client.xaFrom({ ...parent, transType: "xa" }).branch(undefined as never)).rejects.toEqual(step);
});

test("from JavaScript: names that nobody knows, in a message's step and in branches", async () => {
  const known = (name: string): Error =>
    expect.objectContaining({
      code: "STEP_INVALID",
      message: expect.stringContaining(`${name}: no such option`) as unknown,
    }) as unknown as Error;
  const misspelt: object = { action: "http://a", payloads: 1 };
  expect(() => client.msg().step(misspelt as MsgStep<unknown>)).toThrow(known("payloads"));
  const parent = { gid: "g", transType: "tcc", branchId: "01" };
  const branch: object = { try: "http://a", confirm: "http://b", cancel: "http://c", timeout: 5 };
  await expect(client.tccFrom(parent).branch(branch as TccBranch<unknown>)).rejects.toEqual(known("timeout"));
  const xa: object = { url: "http://a", header: {} };
  await expect(client.xaFrom({ ...parent, transType: "xa" }).branch(xa as XaBranch<unknown>)).rejects.toEqual(known("header"));
  const headless: object = { url: "http://a", headers: null };
  const branched = client.xaFrom({ ...parent, transType: "xa" }).branch(headless as XaBranch<unknown>);
  await expect(branched).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("a gid is given where the transaction is made, not to its calls", async () => {
  const late: object = { gid: "g" };
  const named = { code: "OPTION_INVALID", message: expect.stringContaining('found "g" in the options of a call') as unknown };
  const saga = client.saga().step({ action: "http://a", compensate: noCompensation() });
  await expect(saga.submit(late)).rejects.toMatchObject(named);
  const msg = client.msg().step({ action: "http://a" });
  await expect(msg.prepare("http://q", late)).rejects.toMatchObject(named);
  await expect(msg.submit(late)).rejects.toMatchObject(named);
  await expect(msg.abort(late)).rejects.toMatchObject(named);
  await expect(msg.doAndSubmit("http://q", () => 1, late)).rejects.toMatchObject(named);
});

test.each(["gid", "branchId", "url"])("an XA registration without %s", async (part) => {
  const registration = { gid: "g", branchId: "01", url: "http://a" };
  for (const value of [undefined, null, "", 5]) {
    const given = { ...registration, [part]: value } as XaRegistration;
    await expect(client.registerXaBranch(given)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(`${part}: expected a text`) as unknown,
    });
  }
});

test("a message's query can't be a topic", async () => {
  await expect(client.msg().step({ action: "http://a" }).prepare("topic://t")).rejects.toMatchObject({ code: "STEP_INVALID" });
});

test("a payload that can't be sent is refused where the step is added", () => {
  expect(() => client.saga().step({ action: "http://a", compensate: "http://b", payload: { a: 1n } })).toThrow(
    expect.objectContaining({ code: "PAYLOAD_INVALID" }),
  );
  expect(() => client.msg().topic("t", { a: 1n })).toThrow(expect.objectContaining({ code: "PAYLOAD_INVALID" }));
});

test("a saga and a message without steps, an order that isn't concurrent, a cycle", async () => {
  await expect(client.saga().submit()).rejects.toMatchObject({ code: "STEP_INVALID" });
  await expect(client.msg().submit()).rejects.toMatchObject({ code: "STEP_INVALID" });
  const ordered = client.saga().step({ action: "http://a", compensate: noCompensation() });
  ordered.step({ action: "http://b", compensate: noCompensation(), after: [0] });
  await expect(ordered.submit()).rejects.toMatchObject({ code: "STEP_INVALID" });
  const cyclic = client.saga().step({ action: "http://a", compensate: noCompensation(), after: ["b"] });
  cyclic.step({ name: "b", action: "http://b", compensate: noCompensation(), after: [0] }).concurrent();
  await expect(cyclic.submit()).rejects.toMatchObject({ code: "STEP_INVALID" });
});

test.each([
  [{ gid: "" }, "gid"],
  [{ timeoutToFailSeconds: -1 }, "timeoutToFailSeconds"],
  [{ timeoutToFailSeconds: 0.5 }, "timeoutToFailSeconds"],
  [{ retryIntervalSeconds: Number.NaN }, "retryIntervalSeconds"],
  [{ requestTimeoutSeconds: "3" }, "requestTimeoutSeconds"],
  [{ requestTimeoutSeconds: 400_000_000 }, "requestTimeoutSeconds"],
  [{ waitResult: "yes" }, "waitResult"],
  [{ branchHeaders: { "a b": "x" } }, "branchHeaders"],
  [{ branchHeaders: { a: "x\ny" } }, "branchHeaders"],
  [{ branchHeaders: { a: 5 } }, "branchHeaders"],
  [{ branchHeaders: { a: "é" } }, "branchHeaders"],
  [{ branchHeaders: { "a!b": "x" } }, "branchHeaders"],
  [{ branchHeaders: { "trace-bin": "x" } }, "branchHeaders"],
  [{ timeoutMs: 0 }, "timeoutMs"],
  [{ timeoutMs: Number.POSITIVE_INFINITY }, "timeoutMs"],
  [{ signal: {} }, "signal"],
  [{ retryInterval: 5 }, "retryInterval: no such option"],
])("an option that can't be used is named: %p", async (options, name) => {
  const named = expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) as unknown }) as unknown;
  expect(() => client.saga(options as object)).toThrow(named as Error);
  await expect(client.tcc(options as object, () => 1)).rejects.toEqual(named);
});

test.each<[string, () => unknown, string]>([
  [
    "saga",
    () => client.saga({ concurrent: true } as object),
    "concurrent: expected as a call, client.saga().concurrent(), found the option true",
  ],
  ["msg", () => client.msg({ retryLimit: 3 } as object), "options of a msg: retryLimit: no such option; known are gid"],
  [
    "msg's submit",
    () =>
      client
        .msg()
        .step({ action: "http://a" })
        .submit({ retryLimit: 3 } as object),
    "retryLimit: no such option",
  ],
  ["tcc", () => client.tcc({ retryLimit: 3 } as object, () => 1), "options: retryLimit: no such option"],
  ["tcc", () => client.tcc({ concurrent: true } as object, () => 1), "options: concurrent: no such option"],
  ["xa", () => client.xa({ concurrent: true } as object, () => 1), "options: concurrent: no such option"],
])("another type's option isn't one of %s", async (_, use, message) => {
  const refused = { code: "OPTION_INVALID", message: expect.stringContaining(message) as unknown };
  await expect((async () => use())()).rejects.toMatchObject(refused);
});

test.each([{ timeout: 5 }, { timeoutMS: 1 }, { waitResult: true }])(
  "calls take their clock and nothing else: %p",
  async (misspelt) => {
    const options = misspelt as object;
    const [name = ""] = Object.keys(misspelt);
    const refused = {
      code: "OPTION_INVALID",
      message: expect.stringContaining(`${name}: no such option; known are timeoutMs, signal`) as unknown,
    };
    await expect(client.query("g", options)).rejects.toMatchObject(refused);
    await expect(client.waitFor("g", options)).rejects.toMatchObject(refused);
    await expect(client.newGid(options)).rejects.toMatchObject(refused);
    await expect(client.topics.subscribe("t", "http://a", "", options)).rejects.toMatchObject(refused);
    await expect(client.topics.unsubscribe("t", "http://a", options)).rejects.toMatchObject(refused);
    await expect(client.topics.delete("t", options)).rejects.toMatchObject(refused);
    const registration = { gid: "g", branchId: "01", url: "http://a" };
    await expect(client.registerXaBranch(registration, options)).rejects.toMatchObject(refused);
  },
);

test.each([
  [{ timeoutMs: 5 }, "an object"],
  [5, "5"],
  [null, "null"],
])("a remark is a text: %p", async (remark, found) => {
  await expect(client.topics.subscribe("t", "http://a", remark as unknown as string)).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: `remark: expected a text, and options after it, found ${found}`,
  });
});

test.each([
  ["not a url", '"not a url"'],
  ["http://[bad/a", '"http://[bad/a"'],
  ["http://bank:99999/a", '"http://bank:99999/a"'],
  ["http:///a", '"http:///a"'],
  ["http:/bank/a", '"http:/bank/a"'],
  ["bank:99999/b.B/c", '"bank:99999/b.B/c"'],
  ["topic://t", 'the topic "topic://t"'],
])("%s can't subscribe to a topic", async (url, found) => {
  await expect(client.topics.subscribe("t", url)).rejects.toMatchObject({
    code: "STEP_INVALID",
    message: expect.stringMatching(/^url: expected the address of a service, .*, found /) as unknown,
  });
  await expect(client.topics.subscribe("t", { url })).rejects.toThrow(`found ${found}`);
});

test.each<[object, string]>([
  [{}, "transType: expected a text that isn't empty, found undefined"],
  [{ transType: "tcc" }, "gid: expected a text that isn't empty, found undefined"],
  [{ transType: "tcc", gid: 5, branchId: "01" }, "gid: expected a text that isn't empty, found 5"],
  [{ transType: "tcc", gid: "g" }, "branchId: expected a text that isn't empty, found undefined"],
  [{ transType: "tcc", gid: "g", branchId: "" }, 'branchId: expected a text that isn\'t empty, found ""'],
  [
    { transType: "tcc", gid: "g", branchId: "01", coordinator: 5 },
    "coordinator: expected the address that the branch call named, found 5",
  ],
])("a parent without what nested branches need of it: %p", (given, message) => {
  const parent = given as ParentBranch;
  const refused = expect.objectContaining({ code: "BRANCH_INVALID", message: `parent: ${message}` }) as Error;
  expect(() => client.tccFrom(parent)).toThrow(refused);
  expect(() => client.xaFrom(parent)).toThrow(refused);
});

test.each([5, null, "log", {}])("a client's onWarning is a function: %p", (onWarning) => {
  const options = { onWarning } as unknown as ClientOptions;
  const message = expect.stringContaining("onWarning: expected a function, found ") as unknown;
  expect(() => new ScriptedClient(transport, options)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message }) as Error,
  );
});

test("of the client, and of calls", async () => {
  expect(() => new ScriptedClient(transport, { timeoutMs: -1 })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(() => client.saga({ retryLimit: -1 })).toThrow(
    expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/^retryLimit: expected a whole/) as unknown,
    }),
  );
  expect(() => client.msg().step({ action: "http://a" }).delay(-1)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  await expect(client.query("")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(client.topics.subscribe("", "http://a")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(client.topics.subscribe("t", "")).rejects.toMatchObject({ code: "STEP_INVALID" });
  await expect(client.newGid({ timeoutMs: -1 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("nested branches need a branch of their own type around them", () => {
  expect(() => client.tccFrom()).toThrow(expect.objectContaining({ code: "NOT_IN_BRANCH" }));
  expect(() => client.tccFrom({ gid: "g", transType: "saga", branchId: "01" })).toThrow(
    expect.objectContaining({ code: "BRANCH_INVALID" }),
  );
});
