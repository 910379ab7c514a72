import { MYSQL, mysqlAddress } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { Pool } from "./pool.js";

const READERS = 1;

withServer(MYSQL, () => {
  test("who finds no connection free for the patience is told, and what comes later is not lost", async () => {
    const pool = new Pool({ ...mysqlAddress(), patienceMs: 300 }, READERS);
    const busy = await pool.connect();
    await expect(pool.connect()).rejects.toThrow("no connection became free for 0.3 s");
    busy.release();
    const next = await pool.connect();
    next.release();
    await pool.end();
  });
});
