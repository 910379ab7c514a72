/** Calls that aren't made although something was done before under their gid: their errors say what, and that its outcome is open. */
import { coordinatorOf } from "../src/client.js";
import { type Client, noCompensation, TransactionError } from "../src/index.js";
import { toWireOptions } from "../src/options.js";
import { done, refused, type Scripted, ScriptedClient, ScriptedTransport, silent } from "./scripted.js";

const enough = new Error("enough");
const branch = { try: "http://try", confirm: "http://confirm", cancel: "http://cancel" };
const parent = { gid: "g", transType: "tcc", branchId: "01" };

interface Run {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Closes the client, or fires the signal. */
  readonly stop: () => void;
}

const msg = ({ client }: Run) => client.msg({ gid: "g" }).step({ action: "http://a" });
const saga = ({ client }: Run) => client.saga({ gid: "g" }).step({ action: "http://a", compensate: noCompensation() });

const after = {
  "the local transaction of a message": [
    (run) => msg(run).doAndSubmit("http://q", run.stop, { signal: run.signal }),
    "submit of g was not sent",
    "its local transaction is done, and the coordinator asks queryPrepared",
    {},
  ],
  "a message's prepare, at its submit": [
    async (run) => {
      const message = msg(run);
      await message.prepare("http://q");
      run.stop();
      await message.submit({ signal: run.signal });
    },
    "submit of g was not sent",
    "the message is prepared, and the coordinator asks queryPrepared",
    {},
  ],
  "a message's prepare, at its abort": [
    async (run) => {
      const message = msg(run);
      await message.prepare("http://q");
      run.stop();
      await message.abort({ signal: run.signal });
    },
    "abort of g was not sent",
    "the message is prepared",
    {},
  ],
  "a submit whose outcome is unclear": [
    async (run) => {
      const first = saga(run);
      await expect(first.submit()).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
      run.stop();
      await first.submit({ signal: run.signal });
    },
    "submit of g was not sent",
    "an earlier call under this gid may have been carried out",
    { submit: [silent], query: [silent] },
  ],
  "a prepare whose outcome is unclear": [
    async (run) => {
      const message = msg(run);
      await expect(message.prepare("http://q")).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
      run.stop();
      await message.prepare("http://q", { signal: run.signal });
    },
    "prepare of g was not sent",
    "an earlier call under this gid may have been carried out",
    { prepare: [silent], query: [silent] },
  ],
  "the first branch of a TCC transaction, at the second": [
    ({ client, signal, stop }) =>
      client.tcc({ gid: "g", signal }, async (tcc) => {
        await tcc.branch(branch);
        stop();
        await tcc.branch(branch);
      }),
    "registerBranch of g was not sent",
    "whatever its branches did is rolled back",
    {},
  ],
  "the first branch of an XA transaction, at the second": [
    ({ client, signal, stop }) =>
      client.xa({ gid: "g", signal }, async (xa) => {
        await xa.branch({ url: "http://a" });
        stop();
        await xa.branch({ url: "http://a" });
      }),
    "a branch call of g was not sent",
    "whatever its branches did is rolled back",
    {},
  ],
  "a nested branch, at the next": [
    async ({ client, signal, stop }) => {
      const nested = client.tccFrom(parent);
      await nested.branch(branch);
      stop();
      await nested.branch({ ...branch, signal });
    },
    "registerBranch of g was not sent",
    "what becomes of the transaction is up to whoever began it",
    {},
  ],
} satisfies Record<string, [(run: Run) => Promise<unknown>, string, string, Record<string, Scripted[]>]>;

function start(script: Record<string, Scripted[]>) {
  const transport = new ScriptedTransport({ ...script });
  const client = new ScriptedClient(transport, { onWarning: () => undefined });
  return { transport, client };
}

describe.each(Object.entries(after))("after %s", (_, [work, what, open, script]) => {
  test("a closed client says so", async () => {
    const { client } = start(script);
    const error: unknown = await work({ client, signal: new AbortController().signal, stop: () => client.close() }).then(
      () => "resolved",
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(TransactionError);
    expect(error).toMatchObject({ code: "CLIENT_CLOSED", gid: "g", cause: { code: "CLIENT_CLOSED" } });
    expect(String(error)).toContain(`${what}: expected an open client, found one after its close()`);
    expect(String(error)).toContain(open);
  });

  test("a caller who has given up is told so", async () => {
    const { client } = start(script);
    const controller = new AbortController();
    const error: unknown = await work({ client, signal: controller.signal, stop: () => controller.abort(enough) }).then(
      () => "resolved",
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(TransactionError);
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", gid: "g", cause: enough });
    expect(String(error)).toContain(`${what}: its caller had given up`);
    expect(String(error)).toContain(open);
  });
});

test("the branches of a TCC transaction are done, and the client is closed: they are rolled back by the timeout", async () => {
  const { client, transport } = start({});
  const run = client.tcc({ gid: "g" }, async (tcc) => {
    await tcc.branch(branch);
    client.close();
  });
  await expect(run).rejects.toMatchObject({
    name: "TransactionError",
    code: "CLIENT_CLOSED",
    gid: "g",
    message: expect.stringMatching(/^submit of g was not sent: .*; its branches are done, .* by its timeout$/) as unknown,
  });
  expect(transport.log).toEqual(["prepare", "registerBranch", "branch http://try", "close"]);
});

test("… or its caller gives up: they are rolled back at once", async () => {
  const { client, transport } = start({});
  const controller = new AbortController();
  const run = client.tcc({ gid: "g", signal: controller.signal }, async (tcc) => {
    await tcc.branch(branch);
    controller.abort(enough);
  });
  await expect(run).rejects.toMatchObject({ name: "TransactionError", code: "DEADLINE_EXCEEDED", gid: "g", cause: enough });
  expect(transport.log.at(-1)).toBe("abort");
});

test.each(["closed", "given up"])("a branch that is registered isn't tried when it is %s meanwhile", async (how) => {
  const { client, transport } = start({});
  const controller = new AbortController();
  transport.arrived = (operation) => {
    if (operation !== "registerBranch") return;
    if (how === "closed") client.close();
    else controller.abort(enough);
  };
  await expect(client.tcc({ gid: "g", signal: controller.signal }, (tcc) => tcc.branch(branch))).rejects.toMatchObject({
    name: "TransactionError",
    code: how === "closed" ? "CLIENT_CLOSED" : "DEADLINE_EXCEEDED",
    gid: "g",
    message: expect.stringContaining("try of branch 01 of g was not sent") as unknown,
  });
});

test("a branch call that its caller gives up names its transaction", async () => {
  const { client, transport } = start({});
  const controller = new AbortController();
  transport.branch = async () => {
    controller.abort(enough);
    return { outcome: { kind: "unknown", message: "given up" }, body: Buffer.alloc(0) };
  };
  const run = client.xa({ gid: "g", signal: controller.signal }, (xa) => xa.branch({ url: "http://a" }));
  await expect(run).rejects.toMatchObject({ name: "TransactionError", code: "DEADLINE_EXCEEDED", gid: "g", cause: enough });
});

test("what a workflow sends after its steps", async () => {
  const { client, transport } = start({});
  const coordinator = coordinatorOf(client);
  client.close();
  const open = { name: "TransactionError", code: "CLIENT_CLOSED", gid: "g" };
  const registration = { gid: "g", transType: "workflow", branchId: "01", data: {} } as const;
  await expect(coordinator.registerBranch(registration, {})).rejects.toMatchObject({
    ...open,
    message: expect.stringContaining("the workflow stays open") as unknown,
  });
  const request = { gid: "g", transType: "workflow" as const, options: toWireOptions({}) };
  await expect(coordinator.finishWorkflow(request, "succeed")).rejects.toMatchObject(open);
  const begun = { gid: "g", what: "query", done: "the workflow stays open" };
  await expect(coordinator.query("g", {}, begun)).rejects.toMatchObject(open);
  expect(() => coordinator.limits({}, begun)).toThrow(expect.objectContaining(open));
  expect(transport.log).toEqual(["close"]);
});

test("a first call isn't one: nothing was done, and the error is plain", async () => {
  const { client, transport } = start({});
  const run: Run = { client, signal: AbortSignal.abort(enough), stop: () => undefined };
  const calls = (): Promise<unknown>[] => [
    saga(run).submit({ signal: run.signal }),
    msg(run).submit({ signal: run.signal }),
    msg(run).doAndSubmit("http://q", () => 1, { signal: run.signal }),
    client.tcc({ signal: run.signal }, () => 1),
    client.query("g", { signal: run.signal }),
    client.waitFor("g", { signal: run.signal }),
  ];
  const plain = (code: string) => ({ name: "DtmError", code });
  for (const call of calls()) await expect(call).rejects.toMatchObject(plain("DEADLINE_EXCEEDED"));
  client.close();
  for (const call of calls()) await expect(call).rejects.toMatchObject(plain("CLIENT_CLOSED"));
  expect(transport.log).toEqual(["close"]);
});

test("a clear outcome leaves nothing open", async () => {
  const { client } = start({ submit: [refused, done] });
  const first = saga({ client, signal: new AbortController().signal, stop: () => undefined });
  await expect(first.submit()).rejects.toMatchObject({ code: "COORDINATOR_REFUSED" });
  client.close();
  await expect(first.submit()).rejects.toMatchObject({ name: "DtmError", code: "CLIENT_CLOSED" });
});
