/**
 * Days in minutes (R30): each "day" a server whose clock runs further ahead serves as many sagas as the day before, and the tables
 * grow no more. `RETENTION_DAYS` and `RETENTION_SAGAS` say how long, `-t postgres` runs one store.
 */
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type CrashStore, STORES } from "../e2e/crash/stores.js";
import { DtmClient } from "../e2e/kit/dtm-client.js";
import { Server } from "../e2e/kit/server.js";
import { temporaryFolder } from "../e2e/kit/temp-folder.js";
import { until } from "../e2e/kit/until.js";
import { withServer } from "../kit/with-server.js";
import { type Size, sizeOf } from "./size.js";

const DAYS = Number(process.env["RETENTION_DAYS"] ?? 12);
const SAGAS = Number(process.env["RETENTION_SAGAS"] ?? 3_000);
const AT_ONCE = 32;
const DAY_MS = 86_400_000;
/** A bit more than what is kept, so that everything of the day before is due. */
const APART_MS = 1.1 * DAY_MS;
const CLOCK = pathToFileURL(join(__dirname, "clock-ahead.mjs")).href;

jest.setTimeout(DAYS * 600_000);

let service: HttpServer;
let url: string;

beforeAll(async () => {
  service = createServer((request, response) => {
    request.resume();
    response.end("{}");
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});

afterAll(() => service.close());

for (const store of STORES) {
  const days = (): void => {
    test(`${store.name}: ${DAYS} days of ${SAGAS} sagas leave what one day leaves`, () => live(store));
  };
  if (store.server === null) days();
  else withServer(store.server, days);
}

async function live(store: CrashStore): Promise<void> {
  const dataDir = temporaryFolder();
  const place = await store.place(dataDir);
  const sizes: Size[] = [];
  try {
    for (let day = 0; day < DAYS; day++) {
      const server = await Server.start({
        dataDir,
        env: {
          ...place.env,
          RETENTION: String(DAY_MS / 1000),
          STORE_FINISHED_DATA_EXPIRE: String(DAY_MS / 1000),
          NODE_OPTIONS: `--import ${CLOCK}`,
          CLOCK_AHEAD_MS: String(day * APART_MS),
        },
      });
      const client = new DtmClient(server.api);
      await runSagas(client, day);
      // It sweeps once a minute.
      await until("what ended the day before is gone", async () => ((await client.all()).length === SAGAS ? true : undefined), {
        withinMs: 300_000,
        everyMs: 1_000,
      });
      await server.stop();
      const size = await sizeOf(store, place.env, dataDir);
      sizes.push(size);
      process.stderr.write(`${store.name}, day ${day + 1}: ${size.rows} rows or keys, ${Math.round(size.bytes / 1024)} KiB\n`);
    }
  } finally {
    await place.drop();
  }
  expectFlat(sizes);
}

/**
 * No day has more rows than the first; the bytes of the last third of the days are at most a tenth above those of the third before. A table
 * fills up for some days: until the sweep the second day holds two days' rows, and pages are half full when others have come between, which
 * is a quarter above the second day at most.
 */
function expectFlat(sizes: readonly Size[]): void {
  const third = Math.floor(sizes.length / 3);
  const [first, second] = sizes;
  if (first === undefined || second === undefined || third < 1) throw new Error("RETENTION_DAYS must be three at least");
  expect(Math.max(...sizes.map(({ rows }) => rows))).toBeLessThanOrEqual(first.rows * 1.01);
  const before = meanBytes(sizes.slice(-2 * third, -third));
  const last = meanBytes(sizes.slice(-third));
  expect(last).toBeLessThanOrEqual(before * 1.1);
  expect(sizes.at(-1)?.bytes).toBeLessThanOrEqual(second.bytes * 1.25);
}

function meanBytes(sizes: readonly Size[]): number {
  return sizes.reduce((sum, { bytes }) => sum + bytes, 0) / sizes.length;
}

async function runSagas(client: DtmClient, day: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < SAGAS) {
      const gid = `day-${day}-${next++}`;
      const steps = [1, 2].map((step) => ({ action: `${url}/do/${step}`, compensate: `${url}/undo/${step}` }));
      const { status } = await client.submit({
        gid,
        trans_type: "saga",
        steps,
        payloads: steps.map(() => "{}"),
        wait_result: true,
      });
      if (status === 200) continue;
      // A machine that stood still for a moment: it goes on by itself.
      await until(`${gid} ends`, async () => ((await client.query(gid)).transaction?.status === "succeed" ? true : undefined), {
        withinMs: 120_000,
        everyMs: 500,
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
