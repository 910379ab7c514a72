import { cutShort, isLate } from "../../../apps/server/test/kit/cut-short.js";
import { faultMatrix, InvariantBroken } from "../src/index.js";
import { RIGHT_OTHERS, WRONG_OTHERS } from "./corpus/others.js";
import { type Case, RIGHT_SAGAS, WRONG_SAGAS } from "./corpus/sagas.js";

const right = Object.entries({ ...RIGHT_SAGAS, ...RIGHT_OTHERS });
const wrong = Object.entries({ ...WRONG_SAGAS, ...WRONG_OTHERS });

/** The long form tries everything; the short one every single fault, and what else there is time for. */
const MOST_RUNS = process.env["LONG_FORM"] === "1" ? undefined : 120;
const LATE_RUNS = 12;

const matrix = ({ scenario, invariant }: Case, seed?: string) => faultMatrix(scenario, { invariant, seed });

async function broken(one: Case, seed?: string): Promise<InvariantBroken> {
  const end = await matrix(one, seed).catch((cause: unknown) => cause);
  if (end instanceof InvariantBroken) return end;
  throw end instanceof Error ? end : new Error(`expected a broken invariant, found ${JSON.stringify(end)}`);
}

test("the corpus is as large as it is meant to be", () => {
  expect(right.length).toBeGreaterThanOrEqual(20);
  expect(wrong.length).toBeGreaterThanOrEqual(20);
});

describe("what is right stays right under every fault", () => {
  const late = new Set<string>();
  afterAll(() => {
    if (late.size > 0) cutShort(`fault matrix: ${late.size} of ${right.length} right transactions got ${LATE_RUNS} runs only`);
  });

  test.each(right)("%s", async (name, { scenario, invariant }) => {
    if (isLate()) {
      late.add(name);
      await faultMatrix(scenario, { invariant, maxRuns: LATE_RUNS });
      return;
    }
    const report = await faultMatrix(scenario, { invariant, maxRuns: MOST_RUNS });
    if (MOST_RUNS === undefined) expect(report.skipped).toBe(0);
    expect(report.runs).toBeGreaterThan(report.points);
  });
});

describe("what is wrong is found, and its seed replays it", () => {
  test.each(wrong)("%s", async (_, one) => {
    const found = await broken(one);
    const again = await broken(one, found.seed);
    expect(again.trace).toEqual(found.trace);
    expect(again.seed).toBe(found.seed);
  });
});

test("a seed whose faults don't come to pass, and a scenario that does nothing, are told of", async () => {
  const [, one] = right[0] ?? [];
  if (one === undefined) throw new Error("the corpus is empty");
  await expect(matrix(one, "duplicate@g1/01.actoin#1")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  const idle: Case = {
    ...one,
    scenario: { ...one.scenario, run: async (kit) => kit.client.saga().step(JSON.parse("{}")).submit() },
  };
  await expect(matrix(idle)).rejects.toMatchObject({ code: "OPTION_INVALID", cause: { code: "STEP_INVALID" } });
});

test("one seed gives one trace", async () => {
  const [, one] = right[0] ?? [];
  if (one === undefined) throw new Error("the corpus is empty");
  const seed = "lost-reply@g1/01.action#1";
  const first = await matrix(one, seed);
  expect(first.trace.join("\n")).toContain("lost-reply");
  expect((await matrix(one, seed)).trace).toEqual(first.trace);
});
