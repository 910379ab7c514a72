/** A handler that never answers: virtual time stands still, and somebody has to say so. */
import { noCompensation } from "@dtm/client-core";
import { faultMatrix, type Kit, startCoordinator } from "../src/index.js";
import { hurry } from "./kit/hurry.js";

const step = { action: "http://hang/x?shop=1", compensate: noCompensation(), payload: {} };
const mountHanging = (dtm: Pick<Kit, "serve">): void => dtm.serve("http://hang", () => undefined);
const told = (seconds: number) => ({
  code: "OPTION_INVALID",
  message: expect.stringContaining(
    `the handler of http://hang/x (g1/01.action) hasn't answered for ${seconds} s of real time: virtual time stands still while it runs`,
  ) as unknown,
});
afterEach(() => jest.restoreAllMocks());

const scenario = {
  setup: mountHanging,
  run: (kit: Kit) => kit.client.saga().step(step).submit(),
};

test("the matrix tells of it after ten seconds", async () => {
  hurry();
  await expect(faultMatrix(scenario, { invariant: () => true })).rejects.toMatchObject(told(10));
});

test("or after as long as it is given", async () => {
  await expect(faultMatrix(scenario, { invariant: () => true, longestHandlerMs: 50 })).rejects.toMatchObject(told(0.05));
});

test("and replays a seed to the same end", async () => {
  const options = { invariant: () => true, seed: "duplicate@g1/01.action#1", longestHandlerMs: 50 };
  await expect(faultMatrix(scenario, options)).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining("duplicate@g1/01.action#1") as unknown,
  });
});

test("a coordinator in a test tells whoever waits for time to pass, and can be stopped", async () => {
  const dtm = await startCoordinator({ longestHandlerMs: 50 });
  mountHanging(dtm);
  await expect(dtm.client.saga().step(step).submit()).rejects.toMatchObject(told(0.05));
  await expect(dtm.advance(1_000)).rejects.toMatchObject(told(0.05));
  await expect(dtm.client.msg().step({ action: "http://hang/y", payload: {} }).submit()).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
  await dtm.stop();
});

test("and everybody who waits beside another", async () => {
  const dtm = await startCoordinator({ longestHandlerMs: 50 });
  mountHanging(dtm);
  const one = (): Promise<unknown> => dtm.client.saga().step(step).submit({ waitResult: true });
  const ends = await Promise.allSettled([one(), one(), dtm.advance(1_000)]);
  expect(ends).toMatchObject(Array(3).fill({ status: "rejected", reason: { code: "OPTION_INVALID" } }));
  await dtm.stop();
}, 20_000);

test("a handler that waits for virtual time isn't taken for one", async () => {
  const patient = {
    setup: (kit: Kit) => kit.serve("http://hang", (_, response) => void kit.pause(1_000).then(() => response.end("{}"))),
    run: scenario.run,
  };
  const options = { invariant: () => true, seed: "", longestHandlerMs: 5_000 };
  expect((await faultMatrix(patient, options)).trace.join("\n")).toContain("g1/01.action#1  ← 200");
});
