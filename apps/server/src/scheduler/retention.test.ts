import { settle, VirtualClock } from "../engine/virtual-clock.js";
import { NOW, saga } from "../stores/contract/fixtures.js";
import { MemoryStore } from "../stores/memory/store.js";
import { StoreUnavailable } from "../stores/store.js";
import { Retention } from "./retention.js";

const DAY = 86_400_000;

async function withEnded(count: number) {
  const clock = new VirtualClock(NOW);
  const store = new MemoryStore({ now: () => clock.now() });
  for (let made = 0; made < count; made++) {
    const loaded = saga({ owner: "here:1" });
    await store.create(loaded);
    const fence = { owner: "here:1", status: "submitted" } as const;
    await store.move(loaded.transaction.gid, { ...fence, to: "succeed", at: NOW, results: [] });
  }
  const logged: string[] = [];
  const at = (level: string) => (_: object, event: string) => void logged.push(`${level} ${event}`);
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const keeping = (keepMs: number) => new Retention({ store, clock, log, keepMs, random: () => 0.5 });
  const left = async () => (await store.list({ limit: 10_000 })).transactions.length;
  return { clock, store, logged, keeping, left };
}

test("what ended is kept as long as said, and then removed to the last one", async () => {
  const { clock, keeping, left, logged } = await withEnded(1_000);
  const retention = keeping(DAY);
  retention.start();
  await clock.advance(DAY - 1);
  expect(await left()).toBe(1_000);
  await clock.advance(60_000);
  expect(await left()).toBe(0);
  expect(logged).toEqual(["info removed finished transactions"]);
  await retention.stop();
});

test("0 keeps it for ever, and asks nothing of the store", async () => {
  const { clock, store, keeping } = await withEnded(1);
  const sweeps = jest.spyOn(store, "sweep");
  keeping(0).start();
  await clock.advance(100 * DAY);
  expect(sweeps).not.toHaveBeenCalled();
});

test("a store that is down is asked again a minute later", async () => {
  const { clock, store, keeping, left, logged } = await withEnded(1);
  jest.spyOn(store, "sweep").mockRejectedValueOnce(new StoreUnavailable("down"));
  const retention = keeping(DAY);
  await clock.advance(2 * DAY);
  retention.start();
  await clock.advance(30_000);
  expect(logged).toEqual(["warn finished transactions could not be removed; trying again later"]);
  expect(await left()).toBe(1);
  await clock.advance(60_000);
  expect(await left()).toBe(0);
  await retention.stop();
});

test("a stop waits for the chunk under way, and nothing is removed after it", async () => {
  const { clock, store, keeping } = await withEnded(1_000);
  await clock.advance(2 * DAY);
  const retention = keeping(DAY);
  const sweeps = jest.spyOn(store, "sweep");
  retention.start();
  await clock.advance(30_000);
  const stopped = retention.stop();
  await settle();
  await stopped;
  const asked = sweeps.mock.calls.length;
  expect(asked).toBeGreaterThan(0);
  await clock.advance(600_000);
  expect(sweeps).toHaveBeenCalledTimes(asked);
});
