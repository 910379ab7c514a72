/** A bank in a database of its own, once per driver that XA branches run on. */
import { randomBytes } from "node:crypto";
import mariadb from "mariadb";
import mysql from "mysql2/promise";
import pg from "pg";
import { createBarrierTable } from "../../src/schema.js";
import { type XaDatabase, xaMariadb, xaMysql2, xaPostgres } from "../../src/xa.js";

export type Driver = "pg" | "mysql2" | "mariadb";

export interface Server {
  readonly name: string;
  readonly variable: string;
  readonly url: string;
}

const POSTGRES: Server = { name: "PostgreSQL", variable: "DTM_TEST_POSTGRES", url: process.env["DTM_TEST_POSTGRES"] ?? "" };
const MYSQL: Server = { name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL", url: process.env["DTM_TEST_MYSQL"] ?? "" };

export const SERVERS: Readonly<Record<Driver, Server>> = { pg: POSTGRES, mysql2: MYSQL, mariadb: MYSQL };

/** Executes a statement on the connection that an XA branch's work gets. */
export type Execute = (sql: string) => Promise<unknown>;

export interface Opened {
  /** Whose connection type is hidden: the work of these tests only executes statements. */
  readonly database: XaDatabase<Execute>;
  /** The pool is closed, its connections ended. */
  close(): Promise<void>;
}

export interface Bed extends Opened {
  readonly driver: Driver;
  readonly address: string;
  readonly table: string;
  /** On a connection that has nothing to do with XA. */
  execute(sql: string): Promise<readonly Record<string, unknown>[]>;
  balance(): Promise<number>;
  prepared(): Promise<readonly string[]>;
  drop(): Promise<void>;
}

/** The XA database over a pool of at most `connections`. */
export function openDatabase(driver: Driver, address: string, table: string, connections = 4): Opened {
  switch (driver) {
    case "pg": {
      const pool = new pg.Pool({ connectionString: address, max: connections, options: "-c lock_timeout=10s" });
      // The database is dropped under connections that are just ending.
      pool.on("error", () => undefined);
      return {
        database: withExecute(xaPostgres(pool, { table }), (client) => (sql) => client.query(sql)),
        close: () => pool.end(),
      };
    }
    case "mysql2": {
      const pool = mysql.createPool({ uri: address, connectionLimit: connections });
      return {
        database: withExecute(xaMysql2(pool, { table }), (connection) => (sql) => connection.query(sql)),
        close: () => pool.end(),
      };
    }
    case "mariadb": {
      const pool = mariadb.createPool({ ...mysqlParts(address), connectionLimit: connections, acquireTimeout: 60_000 });
      return {
        database: withExecute(xaMariadb(pool, { table, poolSize: connections }), (connection) => (sql) => connection.query(sql)),
        close: () => pool.end(),
      };
    }
  }
}

function withExecute<Connection>(
  database: XaDatabase<Connection>,
  execute: (connection: Connection) => Execute,
): XaDatabase<Execute> {
  return {
    ...database,
    async open() {
      const session = await database.open();
      return { ...session, connection: execute(session.connection) };
    },
  };
}

function mysqlParts(address: string) {
  const url = new URL(address);
  return {
    host: url.hostname,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  };
}

export async function makeBed(driver: Driver): Promise<Bed> {
  const name = `dtm_xa_${randomBytes(6).toString("hex")}`;
  const url = new URL(SERVERS[driver].url);
  const admin = await connect(driver, url.href);
  await admin.execute(`create database ${name}`);
  url.pathname = `/${name}`;
  const address = url.href;
  const own = await connect(driver, address);
  const table = driver === "pg" ? "dtm_barrier.barrier" : `${name}.barrier`;
  await createBarrierTable(own.execute, { dialect: driver === "pg" ? "postgres" : "mysql", table });
  await own.execute("create table account (id int primary key, balance int not null)");
  await own.execute("insert into account values (1, 100)");
  const { database, close } = openDatabase(driver, address, table);
  return {
    driver,
    address,
    table,
    database,
    execute: own.execute,
    async balance() {
      return Number((await own.execute("select balance from account where id = 1"))[0]?.["balance"]);
    },
    async prepared() {
      const session = await database.open();
      const list = await session.listPrepared();
      await session.close();
      return list.map(({ xid }) => xid);
    },
    close,
    async drop() {
      await close();
      await own.close();
      await admin.execute(`drop database ${name}${driver === "pg" ? " with (force)" : ""}`);
      await admin.close();
    },
  };
}

interface Connection {
  execute(sql: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

async function connect(driver: Driver, address: string): Promise<Connection> {
  if (driver === "pg") {
    const client = new pg.Client({ connectionString: address });
    client.on("error", () => undefined);
    await client.connect();
    return { execute: async (sql) => (await client.query(sql)).rows, close: () => client.end() };
  }
  const connection = await mysql.createConnection({ uri: address });
  return {
    async execute(sql) {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(sql);
      return rows;
    },
    close: () => connection.end(),
  };
}
