/**
 * Two nodes over one store, and every call of a branch recorded (R1, R2, R18): without faults no branch is called twice at once; with kill -9
 * and SIGSTOP each overlap has an epoch that the store had declared dead before; a rolling restart repeats nothing. `NODES_TRANSACTIONS` sets
 * how many per case and store, `NODES_SECONDS` how long customers may take for it, `NODES_SEED` repeats a run. PostgreSQL only, unless LONG_FORM=1; then `-t mysql` runs one store.
 */
import { randomInt } from "node:crypto";
import { cutShort, isLate, LONG_FORM } from "../kit/cut-short.js";
import { POSTGRES } from "../kit/temporary-postgres.js";
import { withServer } from "../kit/with-server.js";
import type { Record } from "./crash/customer.js";
import { STORES } from "./crash/stores.js";
import { Bank } from "./kit/bank.js";
import { temporaryFolder } from "./kit/temp-folder.js";
import { until } from "./kit/until.js";
import { killed, stopped } from "./nodes/misfortunes.js";
import { type Call, type Overlap, overlapsOf } from "./nodes/overlaps.js";
import { Scene, type Seen } from "./nodes/scene.js";

const TRANSACTIONS = Number(process.env["NODES_TRANSACTIONS"] ?? 2_000);
const SECONDS = Number(process.env["NODES_SECONDS"] ?? 6);
const SEED = Number(process.env["NODES_SEED"] ?? randomInt(1, 1_000_000));
/** However slow the machine is. */
const LEAST = 150;
const CASE_MS = 900_000;
/** Nobody is declared dead and no call is given up because the machine is busy. */
const CALM = { leaseMs: 120_000, requestTimeoutSeconds: 120 };
/** A drive that broke off waits until no call of it can be under way. */
const STORMY = { leaseMs: 4_000, requestTimeoutSeconds: 30 };
/** So that many calls are under way at once. */
const LATENCY_MS = 100;

const SHARED = STORES.filter(({ name }) => (LONG_FORM ? ["postgres", "mysql", "redis"] : ["postgres"]).includes(name));

describe(`two nodes from seed ${SEED}`, () => {
  const folder = temporaryFolder();
  let banks: { a: Bank; b: Bank };
  const counts: number[] = [];

  afterAll(() => {
    if (!LONG_FORM) cutShort("two nodes: on PostgreSQL only; LONG_FORM=1 runs MySQL and Redis");
    const short = counts.filter((count) => count < TRANSACTIONS);
    if (short.length === 0) return;
    const few = `${Math.min(...short)} to ${Math.max(...short)} transactions of ${TRANSACTIONS}`;
    cutShort(`two nodes: ${short.length} of ${counts.length} cases with ${few}, in ${SECONDS} s each`);
  });

  beforeAll(async () => {
    const options = { latencyMs: LATENCY_MS };
    // Banks outlive everything that happens here.
    const data = temporaryFolder({ inMemory: true });
    banks = { a: await Bank.start("a", data, options), b: await Bank.start("b", data, options) };
  }, 240_000);

  for (const [place, store] of SHARED.entries()) {
    const seed = SEED + 1_000 * place;
    if (store.server === null) continue;
    withServer(store.server, () => {
      it(
        `${store.name}: without faults no branch is called twice at once, or again after its success`,
        unlessLate(store.name, () =>
          onStage(Scene.open({ store, banks, folder, seed, ...CALM }), async (scene) => {
            const { records, seen } = await played(scene, async () => undefined);
            counts.push(records.length);
            tell(`${store.name}, no faults, seed ${seed}`, records, seen);
            expect(inWords(seen, seen.overlaps)).toEqual([]);
            expect(seen.doubled.map(({ gid, branchId, op }) => `${gid} ${branchId} ${op} had answered success`)).toEqual([]);
            expect(seen.epochs).toEqual([]);
            // Both of them drive.
            const callers = scene.nodes.all.map(({ server }) => seen.calls.filter(({ pid }) => pid === server.pid).length);
            expect(Math.min(...callers)).toBeGreaterThan(LEAST / 2);
          }),
        ),
        CASE_MS,
      );

      it(
        `${store.name}: nodes are killed and stopped, and each overlap has an epoch that was dead before it`,
        unlessLate(store.name, () =>
          onStage(Scene.open({ store, banks, folder, seed: seed + 1, ...STORMY }), async (scene) => {
            const befell: string[] = [];
            const { records, seen } = await played(scene, async (more) => {
              for (let times = 0; times < 2 || more(); times++) {
                const misfortune = times % 2 === 0 ? killed : stopped;
                await misfortune(scene);
                befell.push(misfortune.name);
              }
            });
            counts.push(records.length);
            tell(`${store.name}, ${befell.join(", ")}, seed ${seed + 1}`, records, seen);
            const unexplained = seen.overlaps.filter(({ epoch }) => epoch === null);
            expect(inWords(seen, unexplained)).toEqual([]);
            expect(seen.overlaps.length).toBeGreaterThanOrEqual(befell.length);
            // A process is halted between two steps: what it was just about to send goes out, and nothing else.
            expect([...seen.late.values()].filter((calls) => calls.length > 1)).toEqual([]);
          }),
        ),
        CASE_MS,
      );

      it(
        `${store.name}: a rolling restart under load loses nothing and repeats nothing`,
        unlessLate(store.name, () =>
          onStage(Scene.open({ store, banks, folder, seed: seed + 2, ...CALM }), async (scene) => {
            let restarts = 0;
            const { records, seen } = await played(scene, async (more) => {
              while (restarts < 2 || more()) {
                for (const node of scene.nodes.all) {
                  await driving(scene, node.server.pid);
                  await node.stop();
                  await node.restart();
                  restarts++;
                }
              }
            });
            counts.push(records.length);
            tell(`${store.name}, ${restarts} restarts, seed ${seed + 2}`, records, seen);
            expect(inWords(seen, seen.overlaps)).toEqual([]);
            expect(seen.doubled.map(({ gid, branchId, op }) => `${gid} ${branchId} ${op} had answered success`)).toEqual([]);
            // Each said good-bye, so that nobody had to wait for the end of its lease.
            expect(seen.epochs).toHaveLength(restarts);
          }),
        ),
        CASE_MS,
      );
    });
  }

  const breakable = SHARED.find(({ name }) => name === "postgres");
  if (breakable === undefined) throw new Error("there is no postgres");
  withServer(POSTGRES, () => {
    it(
      "postgres, would notice: of nodes that take from the living, two call a branch at once",
      unlessLate("postgres", async () => {
        const store = breakable;
        const preload = ["broken-claims.mjs"];
        await onStage(Scene.open({ store, banks, folder, seed: SEED + 9_000, ...CALM, preload }), async (scene) => {
          let noticed = false;
          const traffic = scene.traffic(() => !noticed);
          try {
            await until("two calls overlap", async () => (overlapsOf(scene.recorder.calls, []).length > 0 ? true : undefined));
          } finally {
            noticed = true;
            await traffic;
          }
          const { overlaps } = await scene.seen();
          expect(overlaps.filter(({ epoch }) => epoch === null)).not.toEqual([]);
        });
      }),
      CASE_MS,
    );
  });
});

function unlessLate(name: string, work: () => Promise<void>): () => Promise<void> {
  return async () => (isLate() ? cutShort(`two nodes on ${name}: a case left out, the run is late`) : work());
}

async function onStage(opening: Promise<Scene>, play: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = await opening;
  try {
    await play(scene);
  } finally {
    await scene.close();
  }
}

/** Customers come while there is time and while something befalls the nodes; then everything must end well. */
async function played(
  scene: Scene,
  befall: (more: () => boolean) => Promise<void>,
): Promise<{ readonly records: readonly Record[]; readonly seen: Seen }> {
  const begin = performance.now();
  let come = 0;
  let over = false;
  const more = (): boolean => come < LEAST || (come < TRANSACTIONS && performance.now() - begin < SECONDS * 1_000);
  const traffic = scene.traffic((index) => {
    come = index;
    return !over || more();
  });
  const misfortunes = befall(more).finally(() => {
    over = true;
  });
  const [records] = await Promise.all([traffic, misfortunes]);
  expect(await scene.ends(records)).toEqual([]);
  return { records, seen: await scene.seen() };
}

/** It has begun a call since it was started. */
async function driving({ recorder }: Scene, pid: number): Promise<void> {
  await until("the node drives", async () => (recorder.calls.some((call) => call.pid === pid) ? true : undefined), {
    withinMs: 120_000,
  });
}

function tell(what: string, records: readonly Record[], { calls, overlaps, late }: Seen): void {
  const deaths = new Map<string, number>();
  for (const { epoch } of overlaps) if (epoch !== null) deaths.set(epoch.name, (deaths.get(epoch.name) ?? 0) + 1);
  const named = [...deaths].map(([name, times]) => `${times} after ${name} was dead`).join(", ");
  const lateOnes = [...late.values()].reduce((sum, group) => sum + group.length, 0);
  process.stderr.write(
    `${what}: ${records.length} transactions, ${records.filter(({ acknowledged }) => acknowledged).length} acknowledged, ${calls.length} calls, ` +
      `${overlaps.length} overlaps${named === "" ? "" : ` (${named})`}, ${lateOnes} calls begun by the dead\n`,
  );
}

/** Told at once, too: the report of a run may be long in coming. */
function inWords({ epochs }: Seen, overlaps: readonly Overlap[]): string[] {
  const one = ({ pid, begunAt, start, end, status }: Call): string =>
    `process ${pid} began it at ${begunAt}, the bank had it from ${start} to ${end} and said ${status}`;
  const lines = overlaps.map(
    ({ first, second }) =>
      `${first.gid} ${first.branchId} ${first.op}: ${one(first)}; ${one(second)}, ${second.start - first.start} ms later`,
  );
  if (lines.length > 0) {
    const dead = epochs.map(({ name, deadAt, noticedAt }) => `${name} dead at ${deadAt}, noticed at ${noticedAt}`);
    process.stderr.write(["two calls of a branch at once:", ...lines, ...dead, ""].join("\n"));
  }
  return lines;
}
