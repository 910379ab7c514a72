/**
 * The drivers' own types fit their barriers, and those of pools don't where a transaction is needed: what tsc says about this file is the
 * test; nothing in it runs.
 */
import type { MySql2Database } from "drizzle-orm/mysql2";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { Knex } from "knex";
import type { Kysely, Transaction as KyselyTransaction } from "kysely";
import type Libsql from "libsql";
import type * as mariadb from "mariadb";
import type * as mysqlCallbacks from "mysql2";
import type * as mysql from "mysql2/promise";
import type pg from "pg";
import type { Sequelize, Transaction as SequelizeTransaction } from "sequelize";
import type { DataSource, EntityManager, QueryRunner } from "typeorm";
import { barrier as onBetterSqlite3 } from "../../src/better-sqlite3.js";
import { barrier as onDrizzle } from "../../src/drizzle.js";
import { barrier as onKnex } from "../../src/knex.js";
import { barrier as onKysely } from "../../src/kysely.js";
import { barrier as onLibsql } from "../../src/libsql.js";
import { barrier as onMariadb } from "../../src/mariadb.js";
import { barrier as onMysql2 } from "../../src/mysql2.js";
import { barrier as onPg } from "../../src/pg.js";
import { barrier as onPrisma } from "../../src/prisma.js";
import { barrier as onSequelize } from "../../src/sequelize.js";
import { barrier as onTypeorm } from "../../src/typeorm.js";
import type { PrismaClient } from "../kit/prisma-client.js";

type DrizzlePostgresTx = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];
type DrizzleMysqlTx = Parameters<Parameters<MySql2Database["transaction"]>[0]>[0];

interface Given {
  readonly pg: { pool: pg.Pool; client: pg.PoolClient };
  readonly mysql: { pool: mysql.Pool; connection: mysql.PoolConnection };
  readonly mysqlCallbacks: { pool: mysqlCallbacks.Pool; connection: mysqlCallbacks.PoolConnection };
  readonly mariadb: { pool: mariadb.Pool; connection: mariadb.PoolConnection };
  readonly libsql: Libsql.Database;
  readonly prisma: { client: PrismaClient };
  readonly typeorm: { source: DataSource; manager: EntityManager; runner: QueryRunner };
  readonly drizzle: { pg: NodePgDatabase; pgTx: DrizzlePostgresTx; mysqlTx: DrizzleMysqlTx };
  readonly knex: { knex: Knex; trx: Knex.Transaction };
  readonly kysely: { db: Kysely<object>; trx: KyselyTransaction<object> };
  readonly sequelize: { sequelize: Sequelize; transaction: SequelizeTransaction };
}

async function fits(given: Given): Promise<void> {
  const result = await onPg.run(given.pg.client, async (client) => (await client.query("select 1")).rowCount);
  if (result.ran) result.value satisfies number | null;
  else result.verdict satisfies "skip";
  await onPg.queryPrepared(given.pg.pool);
  const whole = await onPg.transaction(given.pg.pool, (client) => {
    client satisfies pg.PoolClient;
    return client.query("select 1");
  });
  if (whole.ran) whole.value.rowCount satisfies number | null;
  await onMysql2.transaction(given.mysql.pool, (connection) => connection satisfies mysql.PoolConnection);
  await onMariadb.transaction(given.mariadb.pool, (connection) => connection satisfies mariadb.PoolConnection);
  await onMysql2.run(given.mysql.connection, (connection) => connection.query("select 1"));
  await onMysql2.queryPrepared(given.mysql.pool);
  await onMysql2.run(given.mysqlCallbacks.connection, () => 1);
  await onMysql2.queryPrepared(given.mysqlCallbacks.pool);
  await onMariadb.run(given.mariadb.connection, (connection) => connection.query("select 1"));
  await onMariadb.queryPrepared(given.mariadb.pool);
  onLibsql.run(given.libsql, () => 1) satisfies { ran: boolean };
  onBetterSqlite3.run(given.libsql, () => 1) satisfies { ran: boolean };
  await given.prisma.client.$transaction((tx) => onPrisma.run(tx, () => tx.$executeRawUnsafe("select 1")));
  await onPrisma.queryPrepared(given.prisma.client);
  await onTypeorm.run(given.typeorm.manager, (manager) => manager.query("select 1"));
  await onTypeorm.run(given.typeorm.runner, (runner) => runner.query("select 1"));
  await onTypeorm.queryPrepared(given.typeorm.source);
  await onDrizzle.run(given.drizzle.pgTx, (tx) => tx.execute("select 1"));
  await onDrizzle.run(given.drizzle.mysqlTx, (tx) => tx.execute("select 1"));
  await onDrizzle.queryPrepared(given.drizzle.pg);
  await onKnex.run(given.knex.trx, (trx) => trx("effect").select());
  await onKnex.queryPrepared(given.knex.knex);
  await onKysely.run(given.kysely.trx, () => 1);
  await onKysely.queryPrepared(given.kysely.db);
  await onSequelize.run(given.sequelize.transaction, () => 1);
  await onSequelize.queryPrepared(given.sequelize.sequelize);
}

async function doesNotFit(given: Given): Promise<void> {
  // @ts-expect-error a pool
  await onPg.run(given.pg.pool, () => 1);
  // @ts-expect-error a pool
  await onMysql2.run(given.mysql.pool, () => 1);
  // @ts-expect-error a pool
  await onMysql2.run(given.mysqlCallbacks.pool, () => 1);
  // @ts-expect-error a pool
  await onMariadb.run(given.mariadb.pool, () => 1);
  // @ts-expect-error not a pool
  await onPg.transaction(given.pg.client, () => 1);
  // @ts-expect-error not a pool
  await onMysql2.transaction(given.mysql.connection, () => 1);
  // @ts-expect-error a pool with callbacks
  await onMysql2.transaction(given.mysqlCallbacks.pool, () => 1);
  // @ts-expect-error not a pool
  await onMariadb.transaction(given.mariadb.connection, () => 1);
  // @ts-expect-error another driver's
  await onPg.transaction(given.mysql.pool, () => 1);
  // @ts-expect-error not a transaction
  await onKnex.run(given.knex.knex, () => 1);
  // @ts-expect-error not a transaction
  await onKysely.run(given.kysely.db, () => 1);
  // @ts-expect-error not a transaction
  await onSequelize.run(given.sequelize.sequelize, () => 1);
  // @ts-expect-error another driver's
  await onPg.run(given.mysql.connection, () => 1);
  // @ts-expect-error another driver's
  await onMysql2.run(given.pg.client, () => 1);
  // @ts-expect-error another driver's
  onLibsql.run(given.pg.client, () => 1);
}

test("tsc has read this file", () => {
  expect([typeof fits, typeof doesNotFit]).toEqual(["function", "function"]);
});
