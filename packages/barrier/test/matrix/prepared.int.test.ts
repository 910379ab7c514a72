/** When the barrier's statement has a name on its connection, and that no name ever stands in the way. */
import type { EventEmitter } from "node:events";
import { createConnection } from "mariadb";
import mysql from "mysql2/promise";
import pg from "pg";
import { barrier as mariadbBarrier } from "../../src/mariadb.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { barrier } from "../../src/pg.js";
import type { SqlRunOptions } from "../../src/sql/sql-barrier.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

const table = "barrier";
let calls = 0;
const options = (more: SqlRunOptions = {}): SqlRunOptions => {
  const branch = { gid: `prepared-${++calls}`, transType: "saga", branchId: "01", op: "action" };
  return { branch, table, ...more };
};
const skipped = { ran: false, verdict: "skip" };

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  let database: Database;
  let client: pg.Client;
  beforeAll(async () => {
    database = await openDatabase("postgres");
  });
  beforeEach(async () => {
    const { host, port, user, password, name } = database;
    client = new pg.Client({ host, port, user, password, database: name, statement_timeout: 20_000 });
    await client.connect();
    await barrier.createTable(client, { table });
  });
  afterEach(() => client.end());
  afterAll(() => database.drop());

  const transaction = async (more?: SqlRunOptions): Promise<void> => {
    await client.query("begin");
    try {
      expect(await barrier.run(client, () => "done", options(more))).toEqual({ ran: true, value: "done" });
      await client.query("commit");
    } catch (cause) {
      await client.query("rollback");
      throw cause;
    }
  };
  const names = async (): Promise<number> => (await client.query("select name from pg_prepared_statements")).rows.length;

  test("from the second transaction on, once for each form", async () => {
    await transaction();
    expect(await names()).toBe(0);
    await transaction();
    await transaction();
    expect(await names()).toBe(1);
  });

  test("… and is asked for nothing but how many rows it inserted", async () => {
    await transaction();
    await transaction();
    const described = jest.fn();
    (Reflect.get(client, "connection") as EventEmitter).on("rowDescription", described);
    const call = options();
    const [action, undo] = ["action", "compensate"].map((op) => ({ ...call, branch: { ...Object(call.branch), op } }));
    await client.query("begin");
    expect(await barrier.run(client, () => "done", action)).toMatchObject({ ran: true });
    expect(await barrier.run(client, () => "undone", undo)).toMatchObject({ ran: true });
    await client.query("commit");
    const empty = options();
    await client.query("begin");
    expect(
      await barrier.run(client, () => "undone", { ...empty, branch: { ...Object(empty.branch), op: "compensate" } }),
    ).toEqual(skipped);
    expect(await barrier.run(client, () => "late", empty)).toEqual(skipped);
    await client.query("commit");
    expect(described).not.toHaveBeenCalled();
  });

  test("never where another process answers than the one that greeted: a pooler", async () => {
    Object.defineProperty(client, "processID", { value: 1 });
    for (let i = 0; i < 3; i++) await transaction();
    expect(await names()).toBe(0);
  });

  test("as the caller says", async () => {
    await transaction({ prepared: true });
    expect(await names()).toBe(1);
    await client.query("deallocate all");
    Reflect.set(Object(Reflect.get(client, "connection")), "parsedStatements", {});
    for (let i = 0; i < 3; i++) await transaction({ prepared: false });
    expect(await names()).toBe(0);
  });

  test.each([false, true])(
    "a COMMIT that nobody awaited is found out, and what was written outside is taken back (named: %p)",
    async (named) => {
      for (let i = 0; named && i < 2; i++) await transaction();
      await client.query("begin");
      const committed = client.query("commit");
      const work = jest.fn();
      await expect(barrier.run(client, work, options())).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
      await committed;
      expect(work).not.toHaveBeenCalled();
      const { rows } = await client.query(`select 1 from ${table} where gid = $1`, [`prepared-${calls}`]);
      expect(rows).toEqual([]);
    },
  );

  test.each([false, true])("… but not the row of a delivery that had ended before (named: %p)", async (named) => {
    for (let i = 0; named && i < 2; i++) await transaction();
    const { branch } = options();
    await transaction({ branch: { ...branch } as Required<SqlRunOptions>["branch"] });
    await client.query("begin");
    const committed = client.query("commit");
    const again = barrier.run(client, () => undefined, options({ branch: { ...branch } as Required<SqlRunOptions>["branch"] }));
    await expect(again).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
    await committed;
    expect((await client.query(`select op from ${table} where gid = $1`, [branch?.gid])).rows).toHaveLength(1);
  });

  test("names that somebody drops behind our back break one transaction, and are given up", async () => {
    await transaction();
    await transaction();
    await client.query("discard all");
    await expect(transaction()).rejects.toMatchObject({ code: "26000" });
    await transaction();
    await transaction();
    expect(await names()).toBe(0);
  });
});

withServer({ name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () => {
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase("mysql");
  });
  afterAll(() => database.drop());

  test("mysql2 and mariadb: when the caller says so", async () => {
    const { host, port, user, password, name } = database;
    const two = await mysql.createConnection({ host, port, user, password, database: name });
    const maria = await createConnection({ host, port, user, password, database: name });
    await mysqlBarrier.createTable(two, { table });
    const executed = async (): Promise<number> => {
      const [rows] = await two.query("show global status like 'Com_stmt_execute'");
      return Number(Reflect.get(Array.isArray(rows) ? (rows[0] ?? {}) : {}, "Value"));
    };
    const before = await executed();
    for (const prepared of [undefined, true, true]) {
      await two.beginTransaction();
      expect(await mysqlBarrier.run(two, () => 1, options({ prepared }))).toMatchObject({ ran: true });
      await two.commit();
      await maria.beginTransaction();
      expect(await mariadbBarrier.run(maria, () => 1, options({ prepared }))).toMatchObject({ ran: true });
      await maria.commit();
    }
    // Others may use the same server.
    expect((await executed()) - before).toBeGreaterThanOrEqual(4);
    await two.end();
    await maria.end();
  });
});
