/** One handler, one database, two local transactions with one id: the second is refused, by whatever name it comes to the table. */
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier as kyselyBarrier } from "../../src/kysely.js";
import { barrier } from "../../src/pg.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  interface Place {
    readonly database: Database;
    readonly pool: pg.Pool;
  }
  let here: Place;
  let there: Place;

  const make = async (): Promise<Place> => {
    const database = await openDatabase("postgres");
    const { host, port, user, password, name } = database;
    const pool = new pg.Pool({ host, port, user, password, database: name });
    await barrier.createTable(pool);
    return { database, pool };
  };
  beforeAll(async () => {
    here = await make();
    there = await make();
  });
  afterAll(async () => {
    for (const place of [here, there]) {
      await place?.pool.end();
      await place?.database.drop();
    }
  });

  const call = (gid: string): BranchCall => new BranchCall({ gid, transType: "saga", branchId: "01", op: "action" });
  const reused = expect.objectContaining({ code: "BARRIER_ID_REUSED" });

  test("by another driver", async () => {
    // Ends with the pool, which is the suite's.
    const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool: here.pool }) });
    const work = jest.fn();
    const handler = async (): Promise<void> => {
      await barrier.transaction(here.pool, work);
      await db.transaction().execute((trx) => kyselyBarrier.run(trx, work));
    };
    await expect(runInBranch(call("drivers"), handler)).rejects.toEqual(reused);
    await expect(runInBranch(call("drivers"), handler)).rejects.toEqual(reused);
    expect(work).toHaveBeenCalledTimes(1);
  });

  test("by another spelling of the table's name", async () => {
    const handler = async (): Promise<void> => {
      await barrier.transaction(here.pool, () => 1);
      await barrier.transaction(here.pool, () => 2, { table: "DTM_barrier.Barrier" });
    };
    await expect(runInBranch(call("spellings"), handler)).rejects.toEqual(reused);
  });

  test("in two databases it passes at first, and is loud when the call comes again", async () => {
    const handler = async (): Promise<boolean[]> => [
      (await barrier.transaction(here.pool, () => 1)).ran,
      (await barrier.transaction(there.pool, () => 2)).ran,
    ];
    expect(await runInBranch(call("two"), handler)).toEqual([true, true]);
    await expect(runInBranch(call("two"), handler)).rejects.toEqual(reused);
  });
});
