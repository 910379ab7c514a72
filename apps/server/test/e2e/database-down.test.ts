/**
 * The database goes away under load (R7): connections are cut in the middle of transactions, then its server is killed with SIGKILL and started
 * again, at once or when somebody has been refused; of a Redis Cluster one master dies for good. Submits keep coming all the time, and what was
 * acknowledged is remembered. `DATABASE_KILLS` sets how often per store, `DATABASE_SEED` repeats a run, PostgreSQL and Redis,
 * unless LONG_FORM=1; `-t postgres` runs one store.
 */
import { randomInt } from "node:crypto";
import { cutShort, isLate, LONG_FORM } from "../kit/cut-short.js";
import { notRun } from "../kit/with-server.js";
import { checkMoney, checkPromises, inLanes, openAccounts, waitForTheEnds } from "./crash/checks.js";
import { KINDS, type Record, serve } from "./crash/customer.js";
import { VICTIMS, type Victim } from "./database-down/victims.js";
import { Bank } from "./kit/bank.js";
import { DtmClient } from "./kit/dtm-client.js";
import { Random } from "./kit/random.js";
import { Server } from "./kit/server.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";

const KILLS = Number(process.env["DATABASE_KILLS"] ?? 2);
const SEED = Number(process.env["DATABASE_SEED"] ?? randomInt(1, 1_000_000));
/** A starved machine begins no further kill after this, per store. */
const BUDGET_SECONDS = Number(process.env["DATABASE_SECONDS"] ?? 60);
const CUTS = 3;
const LANES = 80;
const STORE_MS = 900_000;
/** Of a drive that the database broke off, the rest waits until no call of it can be under way: so calls may not take long. */
const PATIENT = { REQUEST_TIMEOUT: "6", RETRY_INTERVAL: "10", RETRY_MAX_INTERVAL: "10", TRANS_CRON_INTERVAL: "1" };
const TIMEOUT_SECONDS = 4;
const LATENCY_MS = 100;

interface Suffered {
  readonly records: readonly Record[];
  readonly cuts: number;
  readonly kills: number;
  /** Requests that were answered with a server error. */
  readonly refused: number;
}

describe(`a database that goes away, from seed ${SEED}`, () => {
  const folder = temporaryFolder();
  let banks: { a: Bank; b: Bank };

  beforeAll(async () => {
    const options = { latencyMs: LATENCY_MS };
    // Banks outlive everything that happens here.
    const data = temporaryFolder({ inMemory: true });
    banks = { a: await Bank.start("a", data, options), b: await Bank.start("b", data, options) };
  }, 240_000);

  if (!LONG_FORM)
    afterAll(() => cutShort("databases that go away: PostgreSQL and Redis only; LONG_FORM=1 runs MySQL and Redis Cluster, too"));

  for (const [place, { name, mayLose, start }] of VICTIMS.entries()) {
    if (!LONG_FORM && !["postgres", "redis"].includes(name)) continue;
    // The banks remember the gids of a run that failed and is repeated.
    let runs = 0;
    it(
      `${name}: everything ends and nothing that was acknowledged is lost`,
      async () => {
        if (isLate()) return cutShort(`${name} going away: left out, the run is late`);
        const victim = await start();
        if (victim === null) return notRun(`the test of ${name} going away: it isn't installed`);
        const seed = SEED + place + 1_000 * runs++;
        const dataDir = `${folder}/${name.replaceAll(" ", "-")}`;
        const server = await Server.start({ dataDir, env: { ...PATIENT, ...victim.env } });
        const client = new DtmClient(server.api);
        const accounts = await openAccounts(banks, `down-${seed}`);

        const { records, cuts, kills, refused } = await suffer(victim, client, { banks, accounts, seed }).catch(
          (cause: unknown) => {
            throw new Error(`${server.running ? "the server runs on" : "the server is gone"}; it said:\n${server.lastWords}`, {
              cause,
            });
          },
        );
        const ended = await waitForTheEnds(client, () => server.lastWords);
        const problems = [
          ...(await checkPromises(records, ended, client)),
          ...(await checkMoney(records, ended, { banks, accounts })),
        ];
        const acknowledged = records.filter((record) => record.acknowledged);
        const lost = acknowledged.filter(({ gid }) => !ended.has(gid)).length;
        process.stderr.write(
          `${name}, seed ${seed}: ${cuts} connections cut, ${kills} kills; ${records.length} transactions, ${acknowledged.length} acknowledged, ` +
            `${lost} of them lost; ${refused} requests got a server error; ${problems.length} problems\n`,
        );
        if (kills < Math.min(KILLS, victim.lives))
          cutShort(`${name} going away: ${kills} kills of ${KILLS} in its ${BUDGET_SECONDS} s`);
        if (lost === 0 || !mayLose) expect(problems).toEqual([]);
        expect(acknowledged.length).toBeGreaterThan(100);
        expect((await server.stop()).code).toBe(0);
        await victim.stop();
      },
      STORE_MS,
    );
  }
});

/** What customers knew when they left, after the database had been hurt in every way. */
async function suffer(
  victim: Victim,
  client: DtmClient,
  {
    banks,
    accounts,
    seed,
  }: {
    readonly banks: { readonly a: Bank; readonly b: Bank };
    readonly accounts: Awaited<ReturnType<typeof openAccounts>>;
    readonly seed: number;
  },
): Promise<Suffered> {
  let accepted = 0;
  let refused = 0;
  let over = false;
  let back = Promise.resolve();
  const answered = ({ status }: { readonly status: number }): void => {
    if (status < 500) accepted++;
    else refused++;
  };
  const world = { client, banks, accounts, timeoutSeconds: TIMEOUT_SECONDS, back: () => back, answered };
  const work = (index: number): Promise<Record> => {
    const own = new Random(seed * 10_000 + index);
    return serve(world, own, { gid: `down-${seed}-${index}`, kind: own.pick(KINDS) });
  };
  const traffic = inLanes(LANES, { more: () => !over, work });
  const goesOn = (answers: number): Promise<true> => {
    const wanted = accepted + answers;
    return until(`${answers} more requests are accepted`, async () => (accepted >= wanted ? true : undefined), {
      withinMs: 180_000,
    });
  };

  let cuts = 0;
  let kills = 0;
  const begin = performance.now();
  try {
    await goesOn(100);
    for (let times = 0; times < CUTS; times++) {
      cuts += await victim.cut();
      await goesOn(30);
    }
    while (kills < Math.min(KILLS, victim.lives) && (kills === 0 || performance.now() - begin < BUDGET_SECONDS * 1_000)) {
      let returned = (): void => undefined;
      back = new Promise((resolve) => {
        returned = resolve;
      });
      const refusedBefore = refused;
      await victim.kill();
      // The first one is back before anybody's patience ends, the second one isn't.
      if (kills % 2 === 1) await until("somebody is refused", async () => (refused > refusedBefore ? true : undefined));
      await victim.back();
      returned();
      kills++;
      await goesOn(100);
    }
  } finally {
    over = true;
  }
  return { records: await traffic, cuts, kills, refused };
}
