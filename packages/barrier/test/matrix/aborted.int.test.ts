/** PostgreSQL answers COMMIT without an error when a statement has failed, and rolls back: work that swallowed the error isn't a success. */
import { PrismaPg } from "@prisma/adapter-pg";
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { Sequelize } from "sequelize";
import { DataSource } from "typeorm";
import { barrier as drizzleBarrier } from "../../src/drizzle.js";
import { barrier as knexBarrier } from "../../src/knex.js";
import { barrier as kyselyBarrier } from "../../src/kysely.js";
import { barrier } from "../../src/pg.js";
import { barrier as prismaBarrier } from "../../src/prisma.js";
import { barrier as sequelizeBarrier } from "../../src/sequelize.js";
import { barrier as typeormBarrier } from "../../src/typeorm.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { prismaClient } from "../kit/prisma-client.js";
import { withServer } from "../kit/with-server.js";

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  const table = "barrier";
  const branch = () => ({ gid: "aborted-1", transType: "saga", branchId: "01", op: "action" });
  let database: Database;
  let pool: pg.Pool;
  beforeAll(async () => {
    database = await openDatabase("postgres");
    const { host, port, user, password, name } = database;
    pool = new pg.Pool({ host, port, user, password, database: name, statement_timeout: 20_000 });
    await barrier.createTable(pool, { table });
  });
  afterAll(async () => {
    // A client that nobody gave back would keep the pool from ending.
    expect(pool.idleCount).toBe(pool.totalCount);
    await pool.end();
    await database.drop();
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

  test("pg, in a statement that nobody awaited", async () => {
    const client = await pool.connect();
    await client.query("begin");
    const work = () => void client.query("select pg_sleep(0.05), 1/0").catch(() => undefined);
    const run = barrier.run(client, work, { branch: branch(), table });
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    await client.query("rollback");
    client.release();
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

  test("knex", async () => {
    const { host, port, user, password, name } = database;
    const db = knex({ client: "pg", connection: { host, port, user, password, database: name } });
    const run = (sql: string) =>
      db.transaction((trx) =>
        knexBarrier.run(trx, async () => void (await trx.raw(sql).catch(() => "never mind")), { branch: branch(), table }),
      );
    await expect(run("select 1/0")).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await rows()).toEqual([]);
    await db.destroy();
  });

  test("kysely, which asks the server", async () => {
    const db = new Kysely<{ effect: { k: string } }>({ dialect: new PostgresDialect({ pool }) });
    const run = (work: (trx: typeof db) => Promise<unknown>) =>
      db.transaction().execute((trx) => kyselyBarrier.run(trx, () => work(trx), { branch: branch(), table }));
    const swallowing = run((trx) => sql`select 1/0`.execute(trx).catch(() => "never mind"));
    await expect(swallowing).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    const unawaited = run(async (trx) => void sql`select pg_sleep(0.05), 1/0`.execute(trx).catch(() => undefined));
    await expect(unawaited).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await rows()).toEqual([]);
  });

  test("kysely, with a query that nobody executed", async () => {
    const db = new Kysely<{ effect: { k: string } }>({ dialect: new PostgresDialect({ pool }) });
    const run = db
      .transaction()
      .execute((trx) => kyselyBarrier.run(trx, () => trx.insertInto("effect").values({ k: "1" }), { branch: branch(), table }));
    await expect(run).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(await rows()).toEqual([]);
  });

  test("prisma, which asks the server", async () => {
    const { host, port, user, password, name } = database;
    const PrismaClient = await prismaClient("postgresql");
    const prisma = new PrismaClient({ adapter: new PrismaPg({ host, port, user, password, database: name, max: 2 }) });
    const run = prisma.$transaction((tx) =>
      prismaBarrier.run(
        tx,
        async () => {
          await tx.$executeRawUnsafe("select 1/0").then(undefined, () => "never mind");
        },
        { branch: branch(), table },
      ),
    );
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await rows()).toEqual([]);
    const whole = prisma.$transaction((tx) =>
      prismaBarrier.run(tx, () => tx.$executeRawUnsafe("insert into effect values ('1')"), { branch: branch(), table }),
    );
    expect(await whole).toEqual({ ran: true, value: 1 });
    await prisma.$disconnect();
    await pool.query(`delete from ${table}`);
  });

  test("sequelize", async () => {
    const { host, port, user, password, name } = database;
    const db = new Sequelize({ dialect: "postgres", host, port, username: user, password, database: name, logging: false });
    const run = db.transaction((transaction) =>
      sequelizeBarrier.run(transaction, () => db.query("select 1/0", { transaction }).catch(() => "never mind"), {
        branch: branch(),
        table,
      }),
    );
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await rows()).toEqual([]);
    await db.close();
  });

  test("typeorm", async () => {
    const { host, port, user, password, name } = database;
    const source = await new DataSource({ type: "postgres", host, port, username: user, password, database: name }).initialize();
    const run = source.transaction((manager) =>
      typeormBarrier.run(manager, () => manager.query("select 1/0").catch(() => "never mind"), { branch: branch(), table }),
    );
    await expect(run).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
    const lazy = source.transaction((manager) =>
      typeormBarrier.run(manager, () => manager.createQueryBuilder().update("effect").set({ k: "2" }), {
        branch: branch(),
        table,
      }),
    );
    await expect(lazy).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(await rows()).toEqual([]);
    await source.destroy();
  });
});
