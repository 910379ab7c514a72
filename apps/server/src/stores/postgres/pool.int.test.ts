import { POSTGRES, postgresAddress } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { troubleOf } from "./errors.js";
import { Pool } from "./pool.js";

const READERS = 1;

withServer(POSTGRES, () => {
  test("who finds no connection free for the patience may ask again: the data isn't at fault", async () => {
    const pool = new Pool({ ...postgresAddress(), patienceMs: 300 }, READERS);
    const busy = await pool.connect();
    const refusal = await pool.connect().catch((cause: unknown) => cause);
    expect(String(refusal)).toMatch(/timeout exceeded/);
    expect(troubleOf(refusal, false)).toBe("lost");
    busy.release();
    await pool.end();
  });
});
