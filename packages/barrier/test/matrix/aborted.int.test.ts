/** PostgreSQL answers COMMIT without an error when a statement has failed, and rolls back: work that swallowed the error isn't a success. */
import { randomBytes } from "node:crypto";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { barrier as drizzleBarrier } from "../../src/drizzle.js";
import { barrier } from "../../src/pg.js";
import { withServer } from "../kit/with-server.js";

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  const schema = `aborted_${randomBytes(4).toString("hex")}`;
  const table = `${schema}.barrier`;
  const branch = () => ({ gid: "aborted-1", transType: "saga", branchId: "01", op: "action" });
  let pool: pg.Pool;
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: process.env["DTM_TEST_POSTGRES"], statement_timeout: 20_000 });
    await barrier.createTable(pool, { table });
  });
  afterAll(async () => {
    // Tidying up only: a lock of somebody else's on a shared server is no finding of these tests.
    await pool.query(`drop schema ${schema} cascade`).catch(() => undefined);
    void pool.end();
  });
  const rows = async () => (await pool.query(`select op from ${table}`)).rows;

  test("pg", async () => {
    const client = await pool.connect();
    await client.query("begin");
    const run = barrier.run(client, () => client.query("select 1/0").catch(() => "never mind"), { branch: branch(), table });
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    await client.query("rollback");
    client.release();
    expect(await rows()).toEqual([]);
  });

  test("pg, with a savepoint of the work's own", async () => {
    const client = await pool.connect();
    await client.query("begin");
    const work = async () => {
      await client.query("savepoint risky");
      await client.query("select 1/0").catch(() => client.query("rollback to savepoint risky"));
    };
    expect(await barrier.run(client, work, { branch: branch(), table })).toMatchObject({ ran: true });
    await client.query("rollback");
    client.release();
  });

  test("drizzle", async () => {
    const db = drizzle(pool);
    const run = db.transaction((tx) =>
      drizzleBarrier.run(tx, () => tx.execute("select 1/0").catch(() => "never mind"), { branch: branch(), table }),
    );
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await rows()).toEqual([]);
  });
});
