/** A hook for warnings that fails mustn't change what is thrown, and what it was to be told mustn't be lost. */
import { Failure } from "@dtm/protocol";
import { refused, ScriptedClient, ScriptedTransport } from "./scripted.js";

const own = new RangeError("mine");
const rejections: unknown[] = [];
const noteRejection = (reason: unknown): void => void rejections.push(reason);
let emitted: unknown[];

beforeEach(() => {
  emitted = [];
  rejections.length = 0;
  jest.spyOn(process, "emitWarning").mockImplementation((...told) => void emitted.push(told));
  process.on("unhandledRejection", noteRejection);
});
afterEach(() => {
  process.off("unhandledRejection", noteRejection);
  jest.restoreAllMocks();
});

const hooks: Record<string, (error: Error) => void> = {
  "that throws": () => {
    throw new Error("from onWarning");
  },
  "that rejects": async () => {
    throw new Error("from onWarning");
  },
};

describe.each(Object.keys(hooks))("onWarning %s", (name) => {
  const start = () => {
    const transport = new ScriptedTransport({ abort: [refused] });
    const client = new ScriptedClient(transport, { onWarning: hooks[name] });
    transport.branch = async () => ({ outcome: { kind: "unknown", message: "500" }, body: Buffer.alloc(0) });
    return client;
  };

  test.each<[string, (client: ScriptedClient) => Promise<unknown>, string]>([
    [
      "an abort that fails",
      (client) =>
        client.tcc(() => {
          throw own;
        }),
      "COORDINATOR_REFUSED",
    ],
    [
      "a queryPrepared that doesn't answer",
      (client) =>
        client
          .msg()
          .step({ action: "http://a" })
          .doAndSubmit("http://q", () => {
            throw own;
          }),
      "BRANCH_UNKNOWN",
    ],
  ])("%s: the user's error comes out, and the warning is emitted", async (_, work, code) => {
    await expect(work(start())).rejects.toBe(own);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(emitted).toEqual([
      ["onWarning of a dtm client failed: from onWarning"],
      [expect.any(String), { type: expect.any(String), code }],
    ]);
    expect(rejections).toEqual([]);
  });
});

test("a hook that works is told, and nothing is emitted", async () => {
  const told: Error[] = [];
  const client = new ScriptedClient(new ScriptedTransport({ abort: [refused] }), {
    onWarning: (warning) => void told.push(warning),
  });
  const failure = new Failure("no");
  const run = client
    .msg()
    .step({ action: "http://a" })
    .doAndSubmit("http://q", () => {
      throw failure;
    });
  await expect(run).rejects.toBe(failure);
  expect(told).toMatchObject([{ code: "COORDINATOR_REFUSED" }]);
  expect(emitted).toEqual([]);
});
