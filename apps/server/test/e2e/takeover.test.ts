/**
 * R28 beside the real dtm: it is killed with transactions of every type open in every state, ours ends them all; and the other way round.
 * `TAKEOVER_TRANSACTIONS` sets how many (100; `npm run soak`: 500), `-t postgres` runs one store.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RowDataPacket } from "mysql2/promise";
import { cutShort, isLate, LONG_FORM } from "../kit/cut-short.js";
import { DtmRedisWriter } from "../kit/dtm-redis.js";
import { inMysql } from "../kit/temporary-mysql.js";
import { inPostgres, POSTGRES } from "../kit/temporary-postgres.js";
import { REDIS } from "../kit/temporary-redis.js";
import { withServer } from "../kit/with-server.js";
import { type CrashStore, type Place, STORES } from "./crash/stores.js";
import { DtmClient } from "./kit/dtm-client.js";
import { type Ended, NodeProcess } from "./kit/process.js";
import { Server } from "./kit/server.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { besideDtm, buildDtm, type DtmBuild, GoDtm } from "./takeover/go-dtm.js";
import { HandOver } from "./takeover/hand-over.js";

const COUNT = Number(process.env["TAKEOVER_TRANSACTIONS"] ?? 100);
const BUILD_MS = 900_000;
const TEST_MS = 900_000;

/** Nothing times out before the hand-over, and what was abandoned does at once behind it. */
const BEFORE = { RETRY_INTERVAL: "10", REQUEST_TIMEOUT: "10", TIMEOUT_TO_FAIL: "3600" };
const AFTER = { ...BEFORE, TIMEOUT_TO_FAIL: "10" };

/** What dtm's cron reads of a row, and what its own writes know: unfinished rows without an owner, all of them due some day. */
const LEFT = `
  SELECT count(*) AS rows_left, count(CASE WHEN owner <> '' THEN 1 END) AS owned, count(CASE WHEN next_cron_time IS NULL THEN 1 END) AS never
  FROM trans_global WHERE status IN ('prepared', 'submitted', 'aborting')`;

besideDtm(() => {
  const folder = temporaryFolder();
  let build: DtmBuild;
  beforeAll(async () => {
    build = await buildDtm();
  }, BUILD_MS);

  if (!LONG_FORM) afterAll(() => cutShort("take-over from dtm: PostgreSQL and Redis only; LONG_FORM=1 runs MySQL, too"));

  describe.each(LONG_FORM ? (["postgres", "mysql"] as const) : (["postgres"] as const))("%s", (driver) => {
    const store = STORES.find(({ name }) => name === driver);
    if (store === undefined || store.server === null) throw new Error(`${driver} is no store of the crash test`);
    withServer(store.server, () => {
      inTime(`ours ends what dtm left in ${driver}`, () => forward(driver, store));
      inTime(`dtm ends what ours left in ${driver}`, () => back(driver, store));
    });
  });

  withServer(REDIS, () => {
    inTime("ours ends what dtm left in redis, after an import", fromRedis);
  });

  async function forward(driver: "postgres" | "mysql", store: CrashStore): Promise<void> {
    const place = await store.place(folder);
    const hand = await HandOver.begin(`${driver}-to-ours`, COUNT);
    try {
      await layTables(driver, place);
      const dtm = await startDtm({ ...place.env, ...BEFORE });
      await hand.lay(dtm.client, { attempts: true });
      await dtm.kill();
      hand.gone();
      process.stderr.write(`${driver}, from dtm to ours: ${hand.story()}\n`);
      checkMix(hand);
      await finishWithOurs(hand, place.env, `${driver}-ours`);
    } finally {
      await hand.services.close();
      await place.drop();
    }
  }

  async function back(driver: "postgres" | "mysql", store: CrashStore): Promise<void> {
    const place = await store.place(folder);
    const hand = await HandOver.begin(`${driver}-to-dtm`, COUNT);
    try {
      const ours = await Server.start({ dataDir: join(folder, `${driver}-back`), env: { ...place.env, ...BEFORE } });
      await hand.lay(new DtmClient(ours.api), { attempts: false });
      expect(await ours.stop()).toEqual({ code: 0, signal: null });
      hand.gone();
      process.stderr.write(`${driver}, from ours to dtm: ${hand.story()}\n`);
      expect(await rows(driver, place, LEFT)).toEqual([[COUNT, 0, 0]]);
      const dtm = await startDtm({ ...place.env, ...AFTER });
      await hand.take(dtm.client);
      // What is prepared is looked at when ours would have timed it out, which is an hour ahead here.
      await hand.waitForEnds(dtm.client, { nudge: () => resetCron(dtm.api), words: () => dtm.lastWords, hurry: true });
      expect(await hand.check(dtm.client)).toEqual([]);
      await dtm.kill();
    } finally {
      await hand.services.close();
      await place.drop();
    }
  }

  async function fromRedis(): Promise<void> {
    const target = STORES.find(({ name }) => name === (POSTGRES.present ? "postgres" : "redis"));
    if (target === undefined) throw new Error("there is no store to import into");
    const place = await target.place(folder);
    const hand = await HandOver.begin("redis-to-ours", COUNT);
    const { hosts, user, password } = REDIS.address;
    const [host = { host: "", port: 0 }] = hosts;
    const laid = new DtmRedisWriter(REDIS);
    const { prefix } = laid;
    const login = user === "" && password === "" ? "" : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
    const from = ["import", "--from", `redis://${login}${host.host}:${host.port}`, "--prefix", prefix];
    const run = (...more: string[]) => command([...from, ...more], place.env);
    try {
      const dtm = await startDtm({
        STORE_DRIVER: "redis",
        STORE_HOST: host.host,
        STORE_PORT: String(host.port),
        STORE_USER: user,
        STORE_PASSWORD: password,
        STORE_REDIS_PREFIX: prefix,
        ...BEFORE,
      });
      await hand.lay(dtm.client, { attempts: true });
      const subscribed = await fetch(
        `${dtm.api}/subscribe?topic=paid&url=${encodeURIComponent(`${hand.services.url}/credit`)}&remark=r`,
      );
      expect(subscribed.status).toBe(200);
      expect(await run()).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^dtm: dtm still writes to Redis at .*\n$/),
      });
      await dtm.kill();
      hand.gone();
      process.stderr.write(`redis, from dtm to ours: ${hand.story()}\n`);

      const said = `${COUNT} unfinished and 0 finished transactions and 1 topics into ${place.env["STORE_DRIVER"]}`;
      const leftOut = `${hand.ended.length} finished ones left out (--finished takes them)`;
      const dry = await run("--dry-run");
      expect(dry).toMatchObject({ code: 0, stdout: `would import ${said}; ${leftOut}\n`, stderr: "" });
      expect(await run()).toMatchObject({ code: 0, stdout: `imported ${said}; ${leftOut}\n`, stderr: "" });
      const again = await run("--finished");
      expect(again).toMatchObject({
        code: 0,
        stdout: `imported 0 unfinished and ${hand.ended.length} finished transactions and 0 topics into ${place.env["STORE_DRIVER"]}; ${COUNT + 1} were there already\n`,
      });
      const ours = await finishWithOurs(hand, place.env, "redis-ours", async (api) => {
        const topics = (await (await fetch(`${api}/queryKV?cat=topics&key=paid`)).json()) as { kv: readonly { v: string }[] };
        expect(topics.kv.map(({ v }) => JSON.parse(v))).toEqual([[{ url: `${hand.services.url}/credit`, remark: "r" }]]);
        // What has come further here since is still the same.
        expect(await run("--finished")).toMatchObject({
          code: 0,
          stdout: expect.stringContaining(`; ${COUNT + hand.ended.length + 1} were there already\n`),
        });
      });
      expect(ours.code).toBe(0);
      expect(await command([...from.slice(0, -1), "{nobody}"], place.env)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /^dtm: Redis at .* has nothing of dtm's under the prefix \{nobody\}: name dtm's own with --prefix .*\n$/,
        ),
      });
    } finally {
      await laid.dispose();
      await hand.services.close();
      await place.drop();
    }
  }

  async function finishWithOurs(
    hand: HandOver,
    env: Place["env"],
    name: string,
    check: (api: string) => Promise<void> = async () => undefined,
  ): Promise<Ended> {
    const begin = performance.now();
    const ours = await Server.start({ dataDir: join(folder, name), env: { ...env, ...AFTER } });
    const client = new DtmClient(ours.api);
    await hand.take(client);
    await hand.waitForEnds(client, { nudge: () => resetCron(ours.api), words: () => ours.lastWords, hurry: false });
    expect(await hand.check(client)).toEqual([]);
    process.stderr.write(`${name}: all ended ${Math.round((performance.now() - begin) / 1_000)} s after ours was started\n`);
    await check(ours.api);
    const ended = await ours.stop();
    expect(ended).toEqual({ code: 0, signal: null });
    return ended;
  }

  /** dtm makes no tables unless it is told to drop them: its operators run its scripts, which name the database dtm. */
  async function layTables(driver: "postgres" | "mysql", { env }: Place): Promise<void> {
    const file = join(build.sqlFolder, `dtmsvr.storage.${driver}.sql`);
    if (!existsSync(file)) throw new Error(`dtm's module has no ${file}`);
    const database = env["STORE_DB"] ?? "";
    const script = readFileSync(file, "utf8");
    if (driver === "postgres") await inPostgres((client) => client.query(script), database);
    else
      await inMysql(
        (connection) => connection.query(script.replace(/CREATE DATABASE[^;]*;/i, "").replaceAll(/\bdtm\./g, "")),
        database,
      );
  }

  async function startDtm(env: Readonly<Record<string, string>>): Promise<GoDtm> {
    const cwd = join(folder, "dtm");
    mkdirSync(cwd, { recursive: true });
    // With an empty password dtm forgets the name of a PostgreSQL database (Q29); one that trusts us takes any.
    const password = env["STORE_DRIVER"] === "postgres" ? env["STORE_PASSWORD"] || "any" : (env["STORE_PASSWORD"] ?? "");
    return GoDtm.start(build.binary, { cwd, env: { ...env, STORE_PASSWORD: password } });
  }
});

/** A run that is late leaves these out and says so: each waits for delays and back-offs. */
function inTime(name: string, work: () => Promise<void>): void {
  test(name, async () => (isLate() ? cutShort(`take-over, ${name}: left out, the run is late`) : work()), TEST_MS);
}

/** R33: at least a tenth of each type. */
function checkMix(hand: HandOver): void {
  const scarce = [...hand.groups()].filter(([, count]) => count < Math.floor(COUNT / 10));
  expect([hand.groups().size, scarce]).toEqual([6, []]);
}

async function rows(driver: "postgres" | "mysql", { env }: Place, sql: string): Promise<number[][]> {
  const database = env["STORE_DB"] ?? "";
  const found =
    driver === "postgres"
      ? (await inPostgres((client) => client.query<Record<string, unknown>>(sql), database)).rows
      : (await inMysql((connection) => connection.query<RowDataPacket[]>(sql), database))[0];
  return found.map((row) => Object.values(row).map(Number));
}

async function resetCron(api: string): Promise<void> {
  await (await fetch(`${api}/resetCronTime?timeout=1&limit=10000`)).arrayBuffer();
}

async function command(
  args: readonly string[],
  env: Place["env"],
): Promise<Ended & { readonly stdout: string; readonly stderr: string }> {
  const child = new NodeProcess("apps/server/bin/dtm.js", args, { cwd: temporaryFolder(), env });
  const ended = await child.ended;
  return { ...ended, stdout: child.stdout, stderr: child.stderr };
}
