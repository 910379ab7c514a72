import { SweepFloor } from "./sweep-floor.js";

const DAY = 86_400_000;

/** A database whose oldest row is what the test says, and that counts how often it was asked. */
function asked(oldest: number | null): { floor: SweepFloor; database: { oldest: number | null; times: number } } {
  const database = { oldest, times: 0 };
  const floor = new SweepFloor(async () => {
    database.times++;
    return database.oldest;
  });
  return { floor, database };
}

test("the database is asked once, and again after a day", async () => {
  const { floor, database } = asked(5 * DAY);
  expect(await floor.at(10 * DAY)).toBe(5 * DAY);
  expect(floor.at(11 * DAY)).toBe(5 * DAY);
  expect(database.times).toBe(1);
  database.oldest = 6 * DAY;
  expect(floor.at(11 * DAY + 1)).toBe(5 * DAY);
  await Promise.resolve();
  expect(floor.at(11 * DAY + 2)).toBe(6 * DAY);
  expect(database.times).toBe(2);
});

test("while there is nothing of ours it is asked each time", async () => {
  const { floor, database } = asked(null);
  expect(await floor.at(DAY)).toBeNull();
  expect(await floor.at(DAY)).toBeNull();
  expect(database.times).toBe(2);
});

test("what this process stored is used at once, to the whole second of the column, before the database has answered", () => {
  const { floor } = asked(9_000);
  floor.created(12_000);
  floor.created(4_321);
  expect(floor.at(DAY)).toBe(4_000);
});

test("an older one that this process stores lowers what the database said", async () => {
  const { floor } = asked(9_000);
  expect(await floor.at(DAY)).toBe(9_000);
  floor.created(4_321);
  expect(floor.at(DAY)).toBe(4_000);
});

test("who waits for a database that can't answer hears of it, and the next one asks again", async () => {
  let times = 0;
  const floor = new SweepFloor(async () => {
    if (++times === 1) throw new Error("away");
    return 9_000;
  });
  await expect(floor.at(DAY)).rejects.toThrow("away");
  expect(await floor.at(DAY)).toBe(9_000);
});
