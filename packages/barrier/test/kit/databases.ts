/** Databases of a test file's own, with the two tables that the matrix works on, and an eye on them that no tested driver shares. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import pg from "pg";
import { SqliteProcess } from "./sqlite-process.js";
import type { Server } from "./with-server.js";

export type Row = Record<string, unknown>;

export interface Database {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Its name, or SQLite's file. */
  readonly name: string;
  /** Runs a statement on a connection of its own, outside every transaction of the tests. */
  read(sql: string): Promise<Row[]>;
  /** How many sessions of this database wait for a lock. */
  waiting(): Promise<number>;
  drop(): Promise<void>;
}

export type Kind = "postgres" | "mysql" | "sqlite";

export const SERVERS: Readonly<Record<Kind, Server | null>> = {
  postgres: { name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" },
  mysql: { name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" },
  sqlite: null,
};

const TABLES = ["create table effect (k varchar(200))", "create table account (id varchar(200) primary key, n integer not null)"];

const OPEN: Readonly<Record<Kind, (name: string) => Promise<Database>>> = { postgres, mysql: mariadb, sqlite };

export async function openDatabase(kind: Kind): Promise<Database> {
  const database = await OPEN[kind](`dtm_${randomBytes(6).toString("hex")}`);
  for (const table of TABLES) await database.read(table);
  return database;
}

/** Waits until something holds; the test's own limit ends it when it never does. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("waited for 120 s in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function postgres(name: string): Promise<Database> {
  const address = addressOf(process.env["DTM_TEST_POSTGRES"] ?? "", 5432);
  const connect = async (database: string): Promise<pg.Client> => {
    const client = new pg.Client({ ...address, database });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const admin = await connect(address.name);
  await admin.query(`create database ${name}`);
  const eye = await connect(name);
  const read = async (sql: string): Promise<Row[]> => (await eye.query<Row>(sql)).rows;
  return {
    ...address,
    name,
    read,
    async waiting() {
      const sql = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return (await read(sql)).length;
    },
    async drop() {
      await eye.end();
      // A pool says that it has ended while its sockets still do: cut off now, they would tell a pool that nobody listens to any more.
      const open = `select 1 from pg_stat_activity where datname = '${name}'`;
      for (let look = 0; look < 40 && (await admin.query(open)).rowCount !== 0; look++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}

async function mariadb(name: string): Promise<Database> {
  const { name: database, ...address } = addressOf(process.env["DTM_TEST_MYSQL"] ?? "", 3306);
  const admin = await mysql.createConnection({ ...address, database });
  await admin.query(`create database ${name}`);
  const eye = await mysql.createConnection({ ...address, database: name });
  const read = async (sql: string): Promise<Row[]> => {
    const [rows] = await eye.query(sql);
    return Array.isArray(rows) ? (rows as Row[]) : [];
  };
  return {
    ...address,
    name,
    read,
    async waiting() {
      // InnoDB shows a copy that it renews only when nobody, of any test at work, has looked at it for 100 ms: looks in step would never see it renewed.
      await new Promise((resolve) => setTimeout(resolve, 120 + 400 * Math.random()));
      const sql = `select trx_id from information_schema.innodb_trx join information_schema.processlist p on p.id = trx_mysql_thread_id
        where trx_state = 'LOCK WAIT' and p.db = database()`;
      return (await read(sql)).length;
    },
    async drop() {
      await eye.end();
      await admin.query(`drop database if exists ${name}`);
      await admin.end();
    },
  };
}

async function sqlite(): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), "dtm-barrier-"));
  const name = join(folder, "test.db");
  const eye = new SqliteProcess(name);
  await eye.run("pragma journal_mode = wal");
  return {
    host: "",
    port: 0,
    user: "",
    password: "",
    name,
    read: (sql) => eye.run(sql),
    waiting: async () => 0,
    async drop() {
      await eye.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function addressOf(text: string, port: number): Pick<Database, "host" | "port" | "user" | "password" | "name"> {
  const url = new URL(text);
  return {
    host: url.hostname,
    port: Number(url.port || port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    name: url.pathname.slice(1),
  };
}
