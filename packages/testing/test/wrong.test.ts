import { faultMatrix, InvariantBroken } from "../src/index.js";
import { WRONG_OTHERS } from "./corpus/others.js";
import { type Case, RIGHT_SAGAS, WRONG_SAGAS } from "./corpus/sagas.js";

// One transaction is hundreds of runs, and a starved machine makes four of them in a second.
jest.setTimeout(600_000);

const wrong = Object.entries({ ...WRONG_SAGAS, ...WRONG_OTHERS });

const matrix = ({ scenario, invariant }: Case, seed?: string) => faultMatrix(scenario, { invariant, seed });

async function broken(one: Case, seed?: string): Promise<InvariantBroken> {
  const end = await matrix(one, seed).catch((cause: unknown) => cause);
  if (end instanceof InvariantBroken) return end;
  throw end instanceof Error ? end : new Error(`expected a broken invariant, found ${JSON.stringify(end)}`);
}

test("the corpus is as large as it is meant to be", () => expect(wrong.length).toBeGreaterThanOrEqual(20));

describe("what is wrong is found, and its seed replays it", () => {
  test.each(wrong)("%s", async (_, one) => {
    const found = await broken(one);
    const again = await broken(one, found.seed);
    expect(again.trace).toEqual(found.trace);
    expect(again.seed).toBe(found.seed);
  });
});

test("a seed whose faults don't come to pass, and a scenario that does nothing, are told of", async () => {
  const [one] = Object.values(RIGHT_SAGAS);
  if (one === undefined) throw new Error("the corpus is empty");
  await expect(matrix(one, "duplicate@g1/01.actoin#1")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  const idle: Case = {
    ...one,
    scenario: { ...one.scenario, run: async (kit) => kit.client.saga().step(JSON.parse("{}")).submit() },
  };
  await expect(matrix(idle)).rejects.toMatchObject({ code: "OPTION_INVALID", cause: { code: "STEP_INVALID" } });
});

test("one seed gives one trace", async () => {
  const [one] = Object.values(RIGHT_SAGAS);
  if (one === undefined) throw new Error("the corpus is empty");
  const seed = "lost-reply@g1/01.action#1";
  const first = await matrix(one, seed);
  expect(first.trace.join("\n")).toContain("lost-reply");
  expect((await matrix(one, seed)).trace).toEqual(first.trace);
});
