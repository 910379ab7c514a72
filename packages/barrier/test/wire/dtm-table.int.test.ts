/** One table for services in all languages: dtm's own script made it, and dtm's Go SDK has written rows (protocol.md 5.5, 6.2). */
import { randomUUID } from "node:crypto";
import mysql from "mysql2/promise";
import pg from "pg";
import { barrier as onMysql } from "../../src/mysql2.js";
import { barrier as onPostgres } from "../../src/pg.js";
import { type Database, openDatabase, SERVERS } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

/** As in dtm's `dtmcli.barrier.postgres.sql`. */
const POSTGRES_TABLE = `create schema if not exists dtm_barrier;
CREATE SEQUENCE if not EXISTS dtm_barrier.barrier_seq;
create table if not exists dtm_barrier.barrier(
  id bigint NOT NULL DEFAULT NEXTVAL ('dtm_barrier.barrier_seq'),
  trans_type varchar(45) default '', gid varchar(128) default '', branch_id varchar(128) default '', op varchar(45) default '',
  barrier_id varchar(45) default '', reason varchar(45) default '',
  create_time timestamp(0) with time zone DEFAULT NULL, update_time timestamp(0) with time zone DEFAULT NULL,
  PRIMARY KEY(id), CONSTRAINT uniq_barrier unique(gid, branch_id, op, barrier_id));`;

/** As in dtm's `dtmcli.barrier.mysql.sql`, but for its database. */
const MYSQL_TABLE = `create table if not exists barrier(
  id bigint(22) PRIMARY KEY AUTO_INCREMENT,
  trans_type varchar(45) default '', gid varchar(128) default '', branch_id varchar(128) default '', op varchar(45) default '',
  barrier_id varchar(45) default '', reason varchar(45) default '' comment 'the branch type who insert this record',
  create_time datetime DEFAULT now(), update_time datetime DEFAULT now(),
  key(create_time), key(update_time), UNIQUE key(gid, branch_id, op, barrier_id)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4`;

interface Made {
  readonly table: string;
  /** A local transaction of ours; whether its work ran. */
  run(branch: { gid: string; op: string }): Promise<boolean>;
  /** As Go's `insertBarrier`; how many rows it inserted. */
  go(row: { gid: string; op: string; reason: string }): Promise<number>;
  createTable(): Promise<void>;
  cleanUp(): Promise<number>;
  close(): Promise<void>;
}

const BRANCH = { transType: "saga", branchId: "01" };

async function postgres(database: Database): Promise<Made> {
  const { host, port, user, password, name } = database;
  const client = new pg.Client({ host, port, user, password, database: name });
  await client.connect();
  await client.query(POSTGRES_TABLE);
  return {
    table: "dtm_barrier.barrier",
    async run(branch) {
      await client.query("begin");
      const { ran } = await onPostgres.run(client, () => undefined, { branch: { ...BRANCH, ...branch } });
      await client.query("commit");
      return ran;
    },
    async go({ gid, op, reason }) {
      const { rowCount } = await client.query(
        "insert into dtm_barrier.barrier(trans_type, gid, branch_id, op, barrier_id, reason) values($1,$2,$3,$4,$5,$6) on conflict ON CONSTRAINT uniq_barrier do nothing",
        ["saga", gid, "01", op, "01", reason],
      );
      return rowCount ?? 0;
    },
    createTable: () => onPostgres.createTable(client),
    cleanUp: async () => (await onPostgres.cleanUp(client)).deleted,
    close: () => client.end(),
  };
}

async function mariadb(database: Database): Promise<Made> {
  const { host, port, user, password, name } = database;
  const connection = await mysql.createConnection({ host, port, user, password, database: name });
  await connection.query(MYSQL_TABLE);
  const table = `${name}.barrier`;
  return {
    table,
    async run(branch) {
      await connection.beginTransaction();
      const { ran } = await onMysql.run(connection, () => undefined, { branch: { ...BRANCH, ...branch }, table });
      await connection.commit();
      return ran;
    },
    async go({ gid, op, reason }) {
      const [{ affectedRows }] = await connection.query<mysql.ResultSetHeader>(
        `insert ignore into ${table}(trans_type, gid, branch_id, op, barrier_id, reason) values(?,?,?,?,?,?)`,
        ["saga", gid, "01", op, "01", reason],
      );
      return affectedRows;
    },
    createTable: () => onMysql.createTable(connection, { table }),
    cleanUp: async () => (await onMysql.cleanUp(connection, { table })).deleted,
    close: () => connection.end(),
  };
}

for (const [kind, open] of [
  ["postgres", postgres],
  ["mysql", mariadb],
] as const) {
  const server = SERVERS[kind];
  if (server === null) throw new Error(`${kind} is a server`);
  describe(`dtm's table on ${server.name}`, () => {
    withServer(server, () => {
      let database: Database;
      let made: Made;
      beforeAll(async () => {
        database = await openDatabase(kind);
        made = await open(database);
      });
      afterAll(async () => {
        await made?.close();
        await database?.drop();
      });

      test("what a Go service did counts for us, and what we did counts for it", async () => {
        const [theirs, ours, empty] = [randomUUID(), randomUUID(), randomUUID()];
        expect(await made.go({ gid: theirs, op: "action", reason: "action" })).toBe(1);
        expect(await made.run({ gid: theirs, op: "action" })).toBe(false);
        expect(await made.run({ gid: theirs, op: "compensate" })).toBe(true);
        expect(await made.run({ gid: ours, op: "action" })).toBe(true);
        expect(await made.go({ gid: ours, op: "action", reason: "action" })).toBe(0);
        expect(await made.run({ gid: empty, op: "compensate" })).toBe(false);
        expect(await made.go({ gid: empty, op: "action", reason: "action" })).toBe(0);
      });

      test("the table stays as it is, and old rows are cleaned up, those without a time after they got one", async () => {
        await made.createTable();
        const gid = randomUUID();
        await made.go({ gid, op: "action", reason: "action" });
        expect(await made.cleanUp()).toBe(0);
        const left = `select gid from ${made.table} where gid = '${gid}'`;
        expect(await database.read(left)).toHaveLength(1);
        const past = kind === "postgres" ? "create_time - interval '31 days'" : "create_time - interval 31 day";
        await database.read(`update ${made.table} set create_time = ${past} where gid = '${gid}'`);
        expect(await made.cleanUp()).toBe(1);
        expect(await database.read(left)).toEqual([]);
      });
    });
  });
}
