import { SweepFloor } from "./sweep-floor.js";

const DAY = 86_400_000;

async function asked(floor: SweepFloor, now: number, oldest: number | null): Promise<{ since: number | null; asked: boolean }> {
  let didAsk = false;
  const since = await floor.at(now, async () => {
    didAsk = true;
    return oldest;
  });
  return { since, asked: didAsk };
}

test("the database is asked once, and again after a day", async () => {
  const floor = new SweepFloor();
  expect(await asked(floor, 10 * DAY, 5 * DAY)).toEqual({ since: 5 * DAY, asked: true });
  expect(await asked(floor, 11 * DAY, 1)).toEqual({ since: 5 * DAY, asked: false });
  expect(await asked(floor, 11 * DAY + 1, 6 * DAY)).toEqual({ since: 6 * DAY, asked: true });
});

test("while there is nothing of ours it is asked each time", async () => {
  const floor = new SweepFloor();
  expect(await asked(floor, DAY, null)).toEqual({ since: null, asked: true });
  floor.created(7_000);
  expect(await asked(floor, DAY, 7_000)).toEqual({ since: 7_000, asked: true });
});

test("an older one that this process stores lowers it, to the whole second of the column", async () => {
  const floor = new SweepFloor();
  await asked(floor, DAY, 9_000);
  floor.created(12_000);
  floor.created(4_321);
  expect(await asked(floor, DAY, 9_000)).toEqual({ since: 4_000, asked: false });
});

test("what is stored while the database is asked counts, though the answer can't know it", async () => {
  const floor = new SweepFloor();
  const since = await floor.at(DAY, async () => {
    floor.created(3_500);
    return 9_000;
  });
  expect(since).toBe(3_000);
});
