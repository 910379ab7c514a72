/**
 * R33: a real coordinator on SQLite is killed while hundreds of transactions of every kind are under way. `CRASH_KILLS` sets
 * how often (3; `npm run soak` does more), `CRASH_SEED` repeats a run that failed.
 */
import { randomInt } from "node:crypto";
import { crashRound, type Round } from "./crash/round.js";
import { Bank } from "./kit/bank.js";
import { temporaryFolder } from "./kit/temp-folder.js";

const KILLS = Number(process.env["CRASH_KILLS"] ?? 3);
const SEED = Number(process.env["CRASH_SEED"] ?? randomInt(1, 1_000_000));
const ROUND_MS = 600_000;
/** Calls time out where processes starve; what waits for its next try must not outlast the test. */
const PATIENT = { REQUEST_TIMEOUT: "10", RETRY_INTERVAL: "10", RETRY_MAX_INTERVAL: "10" };
/** So that hundreds are under way at once. */
const LATENCY_MS = 500;

describe(`kill -9 from seed ${SEED}`, () => {
  const folder = temporaryFolder();
  let banks: { a: Bank; b: Bank };
  const rounds: Round[] = [];

  beforeAll(async () => {
    banks = {
      a: await Bank.start("a", folder, { latencyMs: LATENCY_MS }),
      b: await Bank.start("b", folder, { latencyMs: LATENCY_MS }),
    };
  });

  for (let n = 0; n < KILLS; n++) {
    const seed = SEED + n;
    it(
      `loses nothing, repeats nothing, finishes everything (seed ${seed})`,
      async () => {
        const round = await crashRound(banks, seed, { dataDir: `${folder}/round-${n}`, env: PATIENT });
        rounds.push(round);
        process.stderr.write(story(round));
        expect(round.problems).toEqual([]);
      },
      ROUND_MS,
    );
  }

  it("was killed in the middle of something", () => {
    expect(rounds).toHaveLength(KILLS);
    expect(rounds.reduce((sum, { leftBehind }) => sum + leftBehind, 0)).toBeGreaterThan(50 * KILLS);
    expect(rounds.reduce((sum, { inHand }) => sum + inHand, 0)).toBeGreaterThan(10 * KILLS);
    expect(rounds.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(100 * KILLS);
  });

  it(
    "would notice: a store that forgets breaks promises",
    async () => {
      const round = await crashRound(banks, SEED + KILLS, {
        dataDir: `${folder}/forgetful`,
        env: { ...PATIENT, STORE_DRIVER: "memory" },
      });
      expect(round.problems).toContainEqual(expect.stringContaining("was acknowledged and is gone"));
    },
    ROUND_MS,
  );
});

function story({ seed, leftBehind, inHand, acknowledged, ends, problems }: Round): string {
  const lines = [...ends].map(([end, times]) => `  ${String(times).padStart(4)} ${end}\n`).join("");
  return `seed ${seed}: ${acknowledged} acknowledged, ${leftBehind} unfinished at the kill (${inHand} being driven), ${problems.length} problems\n${lines}`;
}
