import { cutShort, isLate } from "../../../apps/server/test/kit/cut-short.js";
import { faultMatrix } from "../src/index.js";
import { RIGHT_OTHERS } from "./corpus/others.js";
import { RIGHT_SAGAS } from "./corpus/sagas.js";

// One transaction is hundreds of runs, and a starved machine makes four of them in a second.
jest.setTimeout(600_000);

const right = Object.entries({ ...RIGHT_SAGAS, ...RIGHT_OTHERS });

/** On a late run; single faults come first. */
const LATE_RUNS = 12;

test("the corpus is as large as it is meant to be", () => expect(right.length).toBeGreaterThanOrEqual(20));

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
    const report = await faultMatrix(scenario, { invariant });
    expect(report.skipped).toBe(0);
  });
});
