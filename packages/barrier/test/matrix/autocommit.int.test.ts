/** Sessions of MySQL and MariaDB with autocommit off: what `queryPrepared`, `createTable` and `cleanUp` have said can't be rolled back. */
import { PrismaMariaDb } from "@prisma/adapter-mariadb";
import { drizzle } from "drizzle-orm/mysql2";
import knex from "knex";
import { Kysely, MysqlDialect } from "kysely";
import { createConnection, createPool as createMariadbPool } from "mariadb";
import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import { Sequelize } from "sequelize";
import { DataSource } from "typeorm";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier as drizzleBarrier } from "../../src/drizzle.js";
import { barrier as knexBarrier } from "../../src/knex.js";
import { barrier as kyselyBarrier } from "../../src/kysely.js";
import { barrier as mariadbBarrier } from "../../src/mariadb.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { barrier as prismaBarrier } from "../../src/prisma.js";
import { barrier as sequelizeBarrier } from "../../src/sequelize.js";
import { barrier as typeormBarrier } from "../../src/typeorm.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { prismaClient } from "../kit/prisma-client.js";
import { withServer } from "../kit/with-server.js";
import type { AnyBarrier } from "./bed.js";

const table = "barrier";
const OFF = "set autocommit = 0";

interface Opened {
  readonly barrier: AnyBarrier;
  readonly db: unknown;
  close(): unknown;
}

type Open = (access: { host: string; port: number; user: string; password: string; database: string }) => Promise<Opened>;

/** A callback pool of mysql2 whose sessions have it off. */
function callbackPool(access: Parameters<Open>[0]): mysqlCallbacks.Pool {
  const pool = mysqlCallbacks.createPool({ ...access, connectionLimit: 2 });
  pool.on("connection", (connection) => void connection.query(OFF));
  return pool;
}

const OPEN: Readonly<Record<string, Open>> = {
  async "mysql2's pool"(access) {
    const pool = callbackPool(access).promise();
    return { barrier: mysqlBarrier as AnyBarrier, db: pool, close: () => pool.end() };
  },
  async "mysql2's pool with callbacks"(access) {
    const pool = callbackPool(access);
    return { barrier: mysqlBarrier as AnyBarrier, db: pool, close: () => pool.promise().end() };
  },
  async "mysql2's connection"(access) {
    const connection = await mysql.createConnection(access);
    await connection.query(OFF);
    return { barrier: mysqlBarrier as AnyBarrier, db: connection, close: () => connection.end() };
  },
  async "mysql2's connection with callbacks"(access) {
    const connection = mysqlCallbacks.createConnection(access);
    await connection.promise().query(OFF);
    return { barrier: mysqlBarrier as AnyBarrier, db: connection, close: () => connection.promise().end() };
  },
  async "mariadb's pool"(access) {
    const pool = createMariadbPool({ ...access, connectionLimit: 2, sessionVariables: { autocommit: 0 } });
    return { barrier: mariadbBarrier as AnyBarrier, db: pool, close: () => pool.end() };
  },
  async "mariadb's connection"(access) {
    const connection = await createConnection({ ...access, sessionVariables: { autocommit: 0 } });
    return { barrier: mariadbBarrier as AnyBarrier, db: connection, close: () => connection.end() };
  },
  async Knex(access) {
    const afterCreate = (connection: mysqlCallbacks.Connection, done: (cause: unknown, it: unknown) => void): void =>
      void connection.query(OFF, (cause) => done(cause, connection));
    const db = knex({ client: "mysql2", connection: access, pool: { min: 0, max: 2, afterCreate } });
    return { barrier: knexBarrier as AnyBarrier, db, close: () => db.destroy() };
  },
  async Kysely(access) {
    const db = new Kysely({ dialect: new MysqlDialect({ pool: callbackPool(access) }) });
    return { barrier: kyselyBarrier as AnyBarrier, db, close: () => db.destroy() };
  },
  async Sequelize({ host, port, user, password, database }) {
    const db = new Sequelize(database, user, password, { host, port, dialect: "mysql", logging: false });
    db.addHook("afterConnect", (connection) =>
      (connection as mysqlCallbacks.Connection)
        .promise()
        .query(OFF)
        .then(() => undefined),
    );
    return { barrier: sequelizeBarrier as AnyBarrier, db, close: () => db.close() };
  },
  async TypeORM({ host, port, user, password, database }) {
    const source = await new DataSource({ type: "mysql", host, port, username: user, password, database }).initialize();
    const pool: mysqlCallbacks.Pool = Reflect.get(source.driver, "pool");
    pool.on("connection", (connection) => void connection.query(OFF));
    // The one that it has opened already.
    await source.query(OFF);
    return { barrier: typeormBarrier as AnyBarrier, db: source, close: () => source.destroy() };
  },
  async "TypeORM's QueryRunner"({ host, port, user, password, database }) {
    const source = await new DataSource({ type: "mysql", host, port, username: user, password, database }).initialize();
    const runner = source.createQueryRunner();
    await runner.query(OFF);
    return {
      barrier: typeormBarrier as AnyBarrier,
      db: runner,
      close: () => runner.release().then(() => source.destroy()),
    };
  },
  async Drizzle(access) {
    const pool = callbackPool(access).promise();
    return { barrier: drizzleBarrier as AnyBarrier, db: drizzle(pool), close: () => pool.end() };
  },
  async "Drizzle's on a connection"(access) {
    const connection = await mysql.createConnection(access);
    await connection.query(OFF);
    return { barrier: drizzleBarrier as AnyBarrier, db: drizzle(connection), close: () => connection.end() };
  },
  async Prisma(access) {
    const PrismaClient = await prismaClient("mysql");
    const adapter = new PrismaMariaDb({ ...access, connectionLimit: 2, sessionVariables: { autocommit: 0 } });
    const prisma = new PrismaClient({ adapter });
    return { barrier: prismaBarrier as AnyBarrier, db: prisma, close: () => prisma.$disconnect() };
  },
};

withServer({ name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () => {
  let database: Database;
  let access: Parameters<Open>[0];
  let calls = 0;
  const message = (): BranchCall => new BranchCall({ gid: `off-${++calls}`, transType: "msg", branchId: "00", op: "msg" });
  /** Fails when a session has left a transaction open that has touched the table: its metadata lock keeps others from changing it. */
  const expectNothingOpen = (): Promise<unknown> => database.read(`alter table ${table} comment = '${++calls}'`);

  beforeAll(async () => {
    database = await openDatabase("mysql");
    await database.read("set session lock_wait_timeout = 2");
    const { host, port, user, password, name } = database;
    access = { host, port, user, password, database: name };
  });
  afterAll(() => database?.drop());

  test.each(Object.entries(OPEN))("%s: what was said is committed", async (_name, openIt) => {
    const { barrier, db, close } = await openIt(access);
    try {
      await barrier.createTable(db, { table });
      const call = message();
      await expect(runInBranch(call, async () => barrier.queryPrepared(db, { table }))).rejects.toMatchObject({
        code: "FAILURE",
      });
      expect(await database.read(`select reason from ${table} where gid = '${call.gid}'`)).toEqual([{ reason: "rollback" }]);

      const old = `off-old-${calls}`;
      await database.read(`insert into ${table} (trans_type, gid, branch_id, op, barrier_id, reason, create_time)
        values ('saga', '${old}', '01', 'action', '01', 'action', now() - interval 90 day)`);
      expect(await barrier.cleanUp(db, { table })).toEqual({ deleted: 1 });
      expect(await database.read(`select 1 from ${table} where gid = '${old}'`)).toEqual([]);
      await expectNothingOpen();
    } finally {
      await close();
    }
  });

  test.each([
    "mysql2's connection",
    "mysql2's connection with callbacks",
    "mariadb's connection",
    "TypeORM's QueryRunner",
    "Drizzle's on a connection",
  ])("%s: the caller's own transaction is refused, and left as it is", async (name) => {
    const opened = await OPEN[name]?.(access);
    if (opened === undefined) throw new Error(`expected a way to open ${name}`);
    const { barrier, db, close } = opened;
    try {
      await send(db, "insert into effect (k) values ('half')");
      const refused = expect.objectContaining({ code: "TRANSACTION_OPEN" });
      await expect(runInBranch(message(), async () => barrier.queryPrepared(db, { table }))).rejects.toEqual(refused);
      await expect((async () => barrier.cleanUp(db, { table }))()).rejects.toEqual(refused);
      await expect((async () => barrier.createTable(db, { table: "barrier_other" }))()).rejects.toEqual(refused);
      expect(await send(db, "select k from effect")).toEqual([{ k: "half" }]);
      expect(await database.read("select k from effect")).toEqual([]);
      await send(db, "rollback");
      expect(await database.read("select k from effect")).toEqual([]);
    } finally {
      await close();
    }
  });
});

/** Runs a statement on the caller's own connection, whichever object has it, and gives its rows. */
async function send(db: unknown, sql: string): Promise<unknown> {
  const held: unknown = Reflect.get(Object(db), "session") === undefined ? db : Reflect.get(Object(db), "$client");
  const promise: unknown = Reflect.get(Object(held), "promise");
  const target: unknown = typeof promise === "function" ? Reflect.apply(promise, held, []) : held;
  const answer: unknown = await Reflect.apply(Reflect.get(Object(target), "query"), target, [sql]);
  // mysql2 gives its rows with their fields, the others the rows alone.
  return Array.isArray(answer) && Array.isArray(answer[0]) ? answer[0] : answer;
}
