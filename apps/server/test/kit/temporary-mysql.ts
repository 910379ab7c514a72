/** MySQL or MariaDB stores in databases of their own, on the server that DTM_TEST_MYSQL names. */
import { randomBytes } from "node:crypto";
import mysql, { type Connection } from "mysql2/promise";
import type { Opened } from "../../src/stores/contract/contract.js";
import { type MysqlOptions, openMysql } from "../../src/stores/mysql/store.js";
import type { Store } from "../../src/stores/store.js";
import type { TemporaryDatabase } from "./temporary-postgres.js";

const URL_GIVEN = process.env["DTM_TEST_MYSQL"] ?? "";

export const MYSQL = { name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL", present: URL_GIVEN !== "" };

export function mysqlAddress(database?: string): MysqlOptions {
  const url = new URL(URL_GIVEN);
  return {
    host: url.hostname,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: database ?? url.pathname.slice(1),
    tls: { mode: "disable", caFile: "", certFile: "", keyFile: "" },
    zoneHours: 0,
    maxConnections: 8,
  };
}

/** As the server's administrator, or in one of its databases. */
export async function inMysql<T>(work: (connection: Connection) => Promise<T>, database?: string): Promise<T> {
  const { host, port, user, password, database: own } = mysqlAddress(database);
  const connection = await mysql.createConnection({ host, port, user, password, database: own, multipleStatements: true });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

export async function mysqlDatabase(): Promise<TemporaryDatabase> {
  const name = `dtm_${randomBytes(6).toString("hex")}`;
  await inMysql((connection) => connection.query(`CREATE DATABASE ${name}`));
  return {
    name,
    async drop() {
      await inMysql((connection) => connection.query(`DROP DATABASE IF EXISTS ${name}`));
    },
  };
}

export async function openTemporaryMysql(overrides: Partial<MysqlOptions> = {}): Promise<Opened> {
  const database = await mysqlDatabase();
  const open = async (): Promise<Store> => {
    const opened = openMysql({ ...mysqlAddress(database.name), ...overrides });
    await opened.open();
    return opened;
  };
  let store = await open();
  return {
    store,
    async clear() {
      const tables = ["trans_global", "trans_branch_op", "kv", "dtm_node", "dtm_lane"];
      // Faster than TRUNCATE, which makes the files anew.
      await inMysql((connection) => connection.query(tables.map((table) => `DELETE FROM ${table}`).join("; ")), database.name);
    },
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async dispose() {
      await store.close();
      await database.drop();
    },
  };
}
