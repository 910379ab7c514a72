import { sql as drizzleSql } from "drizzle-orm";
import { drizzle as onSqlite } from "drizzle-orm/better-sqlite3";
import { drizzle as onMysql } from "drizzle-orm/mysql2";
import { drizzle as onPostgres } from "drizzle-orm/node-postgres";
import mysql from "mysql2/promise";
import pg from "pg";
import { barrier } from "../../src/drizzle.js";
import { SQLITE_DRIVER, Sqlite } from "../kit/sqlite-driver.js";
import type { Bed } from "./bed.js";
import { matrix } from "./matrix.js";

interface Executes {
  execute(query: unknown): unknown;
}

const postgres: Bed = {
  name: "Drizzle on node-postgres",
  on: "postgres",
  async open({ host, port, user, password, name }) {
    const pool = new pg.Pool({ host, port, user, password, database: name, max: 8 });
    const db = onPostgres(pool);
    return {
      barrier,
      pool: db,
      db,
      transaction: (work) => db.transaction(async (tx) => await work(tx)),
      exec: (tx, sql) => (tx as Executes).execute(drizzleSql.raw(sql)),
      async idle(use) {
        const ended = await db.transaction(async (tx) => tx);
        await use(ended);
      },
      close: () => pool.end(),
    };
  },
};

const mysqlBed: Bed = {
  name: "Drizzle on mysql2",
  on: "mysql",
  async open({ host, port, user, password, name }) {
    const pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 8 });
    const db = onMysql(pool);
    return {
      barrier,
      pool: db,
      db,
      transaction: (work) => db.transaction(async (tx) => await work(tx)),
      exec: (tx, sql) => (tx as Executes).execute(drizzleSql.raw(sql)),
      async idle(use) {
        const ended = await db.transaction(async (tx) => tx);
        await use(ended);
      },
      close: () => pool.end(),
    };
  },
};

const sqlite: Bed = {
  name: `Drizzle on ${SQLITE_DRIVER}`,
  on: "sqlite",
  sync: true,
  async open({ name }) {
    const client = new Sqlite(name);
    const db = onSqlite(client as never);
    return {
      barrier,
      pool: db,
      db,
      transaction: async (work) => db.transaction((tx) => work(tx), { behavior: "immediate" }),
      exec: (tx, sql) => Reflect.apply(Reflect.get(Object(tx), "run"), tx, [drizzleSql.raw(sql)]),
      idle: null,
      async close() {
        client.close();
      },
    };
  },
};

matrix(postgres);
matrix(mysqlBed);
matrix(sqlite);
