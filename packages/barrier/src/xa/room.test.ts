import { Ongoing } from "@dtm/protocol";
import { makeRoom, roomOf } from "./room.js";

test("whoever waits comes in by the order of asking, and never more than there are places", async () => {
  const room = makeRoom(2);
  const seen: number[] = [];
  let inside = 0;
  let most = 0;
  const visit = async (number: number): Promise<void> => {
    const leave = await room.enter();
    most = Math.max(most, ++inside);
    seen.push(number);
    await new Promise((resolve) => setTimeout(resolve, 2));
    inside--;
    leave();
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(visit));
  expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  expect(most).toBe(2);
});

test("whoever waits too long gives up his place in the queue, and is told to come again", async () => {
  const room = makeRoom(1, 20);
  const leave = await room.enter();
  await expect(room.enter()).rejects.toBeInstanceOf(Ongoing);
  const next = room.enter();
  leave();
  (await next)();
  (await room.enter())();
});

test("a pool has one room, and none where nothing can be kept free", () => {
  const pool = {};
  expect(roomOf(pool, 2)).toBe(roomOf(pool, 2));
  for (const size of [undefined, "10", 0, 1, Number.NaN, Number.POSITIVE_INFINITY]) expect(roomOf({}, size)).toBeUndefined();
});
