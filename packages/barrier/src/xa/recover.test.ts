import type { XaDatabase } from "./database.js";
import { recoverXa } from "./recover.js";

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "600", null])(
  "minAgeSeconds %s is refused before the database is asked",
  async (found) => {
    const open = jest.fn();
    const database: XaDatabase<unknown> = { title: "none", maxXidBytes: 64, detachMs: 0, open };
    const options = { query: async () => "failed", minAgeSeconds: found };
    await expect(Reflect.apply(recoverXa, undefined, [database, options])).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: `expected minAgeSeconds to be a number of seconds from 0, found ${String(found)}`,
    });
    expect(open).not.toHaveBeenCalled();
  },
);
