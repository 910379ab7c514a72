import type { Connection as Driver } from "mysql2/promise";
import { Connection, NoAnswer } from "./connection.js";
import { Zone } from "./zone.js";

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test("a connection that gave no answer is used no more", async () => {
  const silent = { connection: { query: () => undefined } } as unknown as Driver;
  const db = new Connection(silent, new Zone(0));
  const ended = jest.fn();
  void db.rows("SELECT 1", []).catch(ended);
  await jest.advanceTimersByTimeAsync(15_000);
  expect(ended).toHaveBeenCalledWith(new NoAnswer("the database gave no answer for 15 s"));
  expect(db.broken).toBe(true);
});
