/** A service whose role may use the barrier's table, but may create nothing, as many a DBA has it. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { barrier } from "../../src/pg.js";
import { createBarrierTable } from "../../src/schema.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  const role = `dtm_limited_${randomBytes(6).toString("hex")}`;
  let database: Database;
  let client: pg.Client;

  beforeAll(async () => {
    database = await openDatabase("postgres");
    const { host, port, user, password, name } = database;
    client = new pg.Client({ host, port, user, password, database: name });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await database?.read(`drop owned by ${role}`);
    await database?.read(`drop role ${role}`);
    await database?.drop();
  });

  test("createTable does nothing where the table is there, and needs no right to create then", async () => {
    await barrier.createTable(client);
    await client.query("drop index dtm_barrier.barrier_create_time");
    await client.query(`create role ${role}`);
    await client.query(`grant usage on schema dtm_barrier to ${role}`);
    await client.query(`grant select, insert, update, delete on dtm_barrier.barrier to ${role}`);
    await client.query(`set role ${role}`);
    await barrier.createTable(client);
    await expect(barrier.createTable(client, { table: "dtm_barrier.other" })).rejects.toMatchObject({ code: "42501" });
    await client.query("reset role");
    // Nor is an index built on a table that may be big.
    await barrier.createTable(client);
    expect(await database.read("select indexname from pg_indexes where indexname = 'barrier_create_time'")).toEqual([]);
  });

  test.each(["migrated.barrier", "barrier_migrated"])(
    "%s is created within a migration's transaction, and again",
    async (table) => {
      for (let round = 0; round < 2; round++) {
        await client.query("begin");
        await createBarrierTable((sql) => client.query(sql), { dialect: "postgres", table });
        await client.query("commit");
      }
      await client.query("begin");
      const branch = { gid: "migrated", transType: "saga", branchId: "01", op: "action" };
      expect(await barrier.run(client, () => 7, { branch, table })).toEqual({ ran: true, value: 7 });
      await client.query("rollback");
      const indexes = await database.read(
        `select indexname from pg_indexes where indexname = '${table.split(".").pop()}_create_time'`,
      );
      expect(indexes).toHaveLength(1);
    },
  );
});
