/** Workers that answer nothing for a while, end, or can't be made: the sum never goes back, and whoever is missing comes back. */
import cluster from "node:cluster";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/e2e/kit/until.js";
import { Supervisor } from "./supervisor.js";

jest.setTimeout(60_000);

/** Speaks as member.ts does: it has counted 1000 things, and asks for the page of all when it is told to. */
const WORKER = `
const counted = (type, name) => ({ name, help: name, type, aggregator: "sum", values: [{ value: 1000, labels: {} }] });
process.on("message", (message) => {
  if (message.kind === "measure")
    process.send({ kind: "measured", ask: message.ask, metrics: [counted("counter", "done_total"), counted("gauge", "running")] });
  if (message.kind === "stop") process.exit(0);
});
process.send({ kind: "started", ports: { http: 1, grpc: 2 } });
`;
const log = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() };
const folder = mkdtempSync(join(tmpdir(), "dtm-supervisor-"));
const workers = () => Object.values(cluster.workers ?? {}).flatMap((worker) => (worker?.isConnected() ? [worker] : []));

/** In a folder that isn't there no process can begin. */
const canFork = (can: boolean) => cluster.setupPrimary({ cwd: can ? folder : join(folder, "gone") });

let supervisor: Supervisor;

beforeEach(async () => {
  const exec = join(folder, "worker.cjs");
  writeFileSync(exec, WORKER);
  cluster.setupPrimary({ exec, execArgv: [] });
  canFork(true);
  supervisor = new Supervisor({ count: 3, log });
  await supervisor.start();
});
afterEach(async () => {
  canFork(true);
  await supervisor.stop();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a worker is sent that asked for the page. */
async function page(): Promise<{ readonly done: number; readonly running: number }> {
  const [asking] = workers();
  if (asking === undefined) throw new Error("no worker lives");
  const sent = jest.spyOn(asking, "send");
  asking.emit("message", { kind: "scrape", id: 7 });
  const text = await until("the page comes", async () => {
    for (const [message] of sent.mock.calls) if (typeof message === "object" && "text" in message) return String(message.text);
    return undefined;
  });
  sent.mockRestore();
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
  return { done: figure("done_total"), running: figure("running") };
}

test("a worker that doesn't answer counts with what it said last, one that ended with its counts alone", async () => {
  expect(await page()).toEqual({ done: 3_000, running: 3_000 });
  const busy = workers()[2];
  busy?.process.kill("SIGSTOP");
  expect(await page()).toEqual({ done: 3_000, running: 3_000 });
  busy?.process.kill("SIGKILL");
  await until("it has ended", async () => (workers().length === 2 ? true : undefined));
  expect(await page()).toEqual({ done: 3_000, running: 2_000 });
  await until("another has come", async () => (workers().length === 3 ? true : undefined));
  await until("it counts too", async () => ((await page()).done === 4_000 ? true : undefined));
});

test("a worker that can't be made is tried again, and holds up no stop", async () => {
  canFork(false);
  workers()[2]?.process.kill("SIGKILL");
  await until("a try has failed", async () =>
    log.error.mock.calls.some(([, said]) => said === "worker can't be reached") ? true : undefined,
  );
  canFork(true);
  await until("another has come", async () => (workers().length === 3 ? true : undefined));
});

test("the stop ends though no worker can be made", async () => {
  canFork(false);
  const tries = () => log.error.mock.calls.filter(([, said]) => said === "worker can't be reached").length;
  const before = tries();
  workers()[2]?.process.kill("SIGKILL");
  await until("a try has failed", async () => (tries() > before ? true : undefined));
  await supervisor.stop();
  expect(workers()).toEqual([]);
});
