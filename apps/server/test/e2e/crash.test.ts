/**
 * R33: a real coordinator is killed while hundreds of transactions of every kind are under way, on every store. `CRASH_KILLS` sets how
 * often per store (3; `npm run soak` does more), `CRASH_SEED` repeats a run that failed, `-t postgres` runs one store.
 */
import { randomInt } from "node:crypto";
import { cutShort, isLate } from "../kit/cut-short.js";
import { withServer } from "../kit/with-server.js";
import { crashRound, type Round } from "./crash/round.js";
import { STORES } from "./crash/stores.js";
import { Bank } from "./kit/bank.js";
import { temporaryFolder } from "./kit/temp-folder.js";

const KILLS = Number(process.env["CRASH_KILLS"] ?? 3);
const SEED = Number(process.env["CRASH_SEED"] ?? randomInt(1, 1_000_000));
/** A starved machine stops here, per shared store, and says how far it came; SQLite, the default, gets all of its kills. */
const BUDGET_SECONDS = Number(process.env["CRASH_SECONDS"] ?? 90);
const ROUND_MS = 600_000;
/** Calls time out where processes starve; what waits for its next try must not outlast the test. */
const PATIENT = { REQUEST_TIMEOUT: "10", RETRY_INTERVAL: "10", RETRY_MAX_INTERVAL: "10" };
/** So that hundreds are under way at once. */
const LATENCY_MS = 500;

describe(`kill -9 from seed ${SEED}`, () => {
  const folder = temporaryFolder();
  let banks: { a: Bank; b: Bank };

  beforeAll(async () => {
    const options = { latencyMs: LATENCY_MS };
    banks = { a: await Bank.start("a", folder, options), b: await Bank.start("b", folder, options) };
  }, 240_000);

  for (const [place, store] of STORES.entries()) {
    const tests = (): void => {
      it(
        `${store.name}: loses nothing, repeats nothing, finishes everything`,
        async () => {
          if (store.server !== null && isLate()) return cutShort(`crash test on ${store.name}: left out, the run is late`);
          const rounds: Round[] = [];
          const begin = performance.now();
          const inTime = (): boolean => store.server === null || performance.now() - begin < BUDGET_SECONDS * 1000;
          while (rounds.length < KILLS && (rounds.length === 0 || inTime())) {
            // Banks and gids are the same for all: every round has a seed of its own.
            const round = await killOnce(store, SEED + 1_000 * place + rounds.length);
            rounds.push(round);
            process.stderr.write(`${store.name}, ${story(round)}`);
            expect(round.problems).toEqual([]);
          }
          if (rounds.length < KILLS)
            cutShort(`crash test on ${store.name}: ${rounds.length} kills of ${KILLS} in its ${BUDGET_SECONDS} s`);
          // It was killed in the middle of something.
          expect(sumOf(rounds, "leftBehind")).toBeGreaterThan(50 * rounds.length);
          expect(sumOf(rounds, "inHand")).toBeGreaterThan(10 * rounds.length);
          expect(sumOf(rounds, "acknowledged")).toBeGreaterThan(100 * rounds.length);
        },
        ROUND_MS * KILLS,
      );
    };
    if (store.server === null) tests();
    else withServer(store.server, tests);
  }

  it(
    "would notice: a store that forgets breaks promises",
    async () => {
      const env = { ...PATIENT, STORE_DRIVER: "memory" };
      const left = async () => ({ leftBehind: 0, inHand: 0 });
      const round = await crashRound(banks, SEED + 1_000 * STORES.length, { dataDir: `${folder}/forgetful`, env, left });
      expect(round.problems).toContainEqual(expect.stringContaining("was acknowledged and is gone"));
    },
    ROUND_MS,
  );

  async function killOnce(store: (typeof STORES)[number], seed: number): Promise<Round> {
    const dataDir = `${folder}/${store.name.replaceAll(" ", "-")}-${seed}`;
    const place = await store.place(dataDir);
    try {
      return await crashRound(banks, seed, { dataDir, env: { ...PATIENT, ...place.env }, left: place.left });
    } finally {
      await place.drop();
    }
  }
});

function sumOf(rounds: readonly Round[], what: "leftBehind" | "inHand" | "acknowledged"): number {
  return rounds.reduce((sum, round) => sum + round[what], 0);
}

function story({ seed, leftBehind, inHand, acknowledged, lost, ends, problems }: Round): string {
  const lines = [...ends].map(([end, times]) => `  ${String(times).padStart(4)} ${end}\n`).join("");
  return `seed ${seed}: ${acknowledged} acknowledged, ${lost} of them lost, ${leftBehind} unfinished at the kill (${inHand} being driven), ${problems.length} problems\n${lines}`;
}
