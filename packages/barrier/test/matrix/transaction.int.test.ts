/** `barrier.transaction` beyond the matrix: how it begins, and that each connection goes back to its pool or is closed. */
import { createConnection, createPool as createMariadbPool } from "mariadb";
import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import pg from "pg";
import { barrier as mariadbBarrier } from "../../src/mariadb.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { barrier } from "../../src/pg.js";
import type { SqlRunOptions } from "../../src/sql/sql-barrier.js";
import { type Database, openDatabase, until } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";

const table = "barrier";
let calls = 0;
const options = (more: SqlRunOptions = {}): SqlRunOptions => ({
  branch: { gid: `whole-${++calls}`, transType: "saga", branchId: "01", op: "action" },
  table,
  ...more,
});
/** Another delivery of the same call. */
const again = ({ branch, ...more }: SqlRunOptions): SqlRunOptions => ({
  branch: { ...branch } as Required<SqlRunOptions>["branch"],
  ...more,
});

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  let database: Database;
  let pool: pg.Pool;
  beforeAll(async () => {
    database = await openDatabase("postgres");
  });
  const openPool = (more: pg.PoolConfig = {}): pg.Pool => {
    const { host, port, user, password, name } = database;
    return new pg.Pool({ host, port, user, password, database: name, max: 1, statement_timeout: 20_000, ...more });
  };
  beforeEach(async () => {
    pool = openPool();
    await barrier.createTable(pool, { table });
  });
  afterEach(async () => {
    // A client that nobody gave back would keep the pool from ending.
    expect(pool.idleCount).toBe(pool.totalCount);
    await pool.end();
  });
  afterAll(() => database.drop());

  const done = async (more?: SqlRunOptions): Promise<void> => {
    expect(await barrier.transaction(pool, () => "done", options(more))).toEqual({ ran: true, value: "done" });
  };
  /** What the pool's one client sends while `doing`. */
  async function sentDuring(doing: () => Promise<unknown>): Promise<string[]> {
    const client = await pool.connect();
    const sent: string[] = [];
    const { query } = client;
    const spy = jest.spyOn(client, "query").mockImplementation((...given: unknown[]) => {
      const [first] = given;
      sent.push(typeof first === "string" ? first : String(Reflect.get(Object(first), "text")));
      return Reflect.apply(query, client, given);
    });
    client.release();
    await doing().finally(() => spy.mockRestore());
    return sent.map((text) => text.split(" ", 1)[0] ?? "");
  }

  test("BEGIN travels with the barrier's statement from a connection's second transaction on", async () => {
    expect(await sentDuring(done)).toEqual(["begin", "insert", "commit"]);
    expect(await sentDuring(done)).toEqual(["insert", "commit"]);
    const names = await pool.query("select statement from pg_prepared_statements");
    expect(names.rows).toHaveLength(1);
    expect(await sentDuring(() => done({ prepared: false }))).toEqual(["begin", "insert", "commit"]);
  });

  test("… and what is written is in one transaction with the work, both ways", async () => {
    for (let i = 0; i < 3; i++) {
      const call = options();
      const boom = new Error("the user's own");
      const failing = barrier.transaction(
        pool,
        async (client) => {
          expect(client.getTransactionStatus?.()).toBe("T");
          throw boom;
        },
        call,
      );
      await expect(failing).rejects.toBe(boom);
      expect((await pool.query(`select 1 from ${table} where gid = $1`, [call.branch?.gid])).rows).toEqual([]);
      expect(await barrier.transaction(pool, () => 1, again(call))).toEqual({ ran: true, value: 1 });
      expect(await barrier.transaction(pool, () => 1, again(call))).toEqual({ ran: false, verdict: "skip" });
    }
  });

  test("never with a name where another process answers than the one that greeted: a pooler", async () => {
    const client = await pool.connect();
    Object.defineProperty(client, "processID", { value: 1 });
    client.release();
    for (let i = 0; i < 3; i++) expect(await sentDuring(done)).toEqual(["begin", "insert", "commit"]);
  });

  test("with a client in pipeline mode, which refuses other ways", async () => {
    await pool.end();
    pool = openPool({ pipeline: true } as pg.PoolConfig);
    for (let i = 0; i < 3; i++) await done();
  });

  test("with a query_timeout", async () => {
    await pool.end();
    pool = openPool({ query_timeout: 10_000 });
    for (let i = 0; i < 3; i++) await done();
  });

  test("an error that the work swallowed is found out", async () => {
    for (let i = 0; i < 2; i++) {
      const call = options();
      const swallowing = barrier.transaction(pool, (client) => client.query("select 1/0").catch(() => "never mind"), call);
      await expect(swallowing).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
      expect(await barrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    }
  });

  test("… by its COMMIT, where pg doesn't keep the server's status", async () => {
    const client = await pool.connect();
    Object.defineProperty(client, "getTransactionStatus", { value: undefined });
    client.release();
    for (let i = 0; i < 2; i++) {
      const call = options();
      const swallowing = barrier.transaction(pool, (tx) => tx.query("select 1/0").catch(() => "never mind"), call);
      await expect(swallowing).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
      expect(await barrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    }
  });

  test("the barrier's statement fails on its way: the connection goes on, and knows its name", async () => {
    await done();
    const call = options();
    const blocker = openPool();
    const holder = await blocker.connect();
    await holder.query("begin");
    await holder.query(`lock table ${table}`);
    await pool.query("set lock_timeout = '50ms'");
    for (let i = 0; i < 2; i++) {
      const work = jest.fn();
      await expect(barrier.transaction(pool, work, again(call))).rejects.toMatchObject({ code: "55P03" });
      expect(work).not.toHaveBeenCalled();
    }
    await holder.query("rollback");
    holder.release();
    await blocker.end();
    expect(await sentDuring(() => barrier.transaction(pool, () => 1, again(call)))).toEqual(["insert", "commit"]);
  });

  test("a missing table is named on both ways", async () => {
    for (let i = 0; i < 2; i++) {
      await expect(barrier.transaction(pool, () => 1, options({ table: "not_there" }))).rejects.toMatchObject({
        code: "BARRIER_TABLE_MISSING",
      });
      await done();
    }
  });

  test("a connection that breaks is closed, and the call runs on another", async () => {
    pool.on("error", () => undefined);
    for (let i = 0; i < 2; i++) {
      const call = options();
      const killed = barrier.transaction(
        pool,
        async (client) => {
          // Else the loss of the connection would end the process.
          expect(client.listenerCount("error")).toBe(1);
          const own = await client.query("select pg_backend_pid() as pid");
          const other = openPool();
          await other.query("select pg_terminate_backend($1)", [own.rows[0].pid]);
          await other.end();
          return client.query("select 1");
        },
        call,
      );
      await expect(killed).rejects.toThrow();
      expect(pool.totalCount).toBe(0);
      expect(await barrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    }
  });

  test("a connection that breaks while the barrier waits for a lock is closed, and leaves no listener but the one for its whole life", async () => {
    pool.on("error", () => undefined);
    const blocker = openPool();
    for (let i = 0; i < 2; i++) {
      await done();
      const holder = await blocker.connect();
      await holder.query("begin");
      await holder.query(`lock table ${table}`);
      const waiting = barrier.transaction(pool, () => 1, options(i === 0 ? {} : { prepared: false }));
      const killed = expect(waiting).rejects.toMatchObject({ code: "57P01" });
      const kill =
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      await until(async () => (await holder.query(kill)).rows.length > 0);
      await killed;
      await holder.query("rollback");
      holder.release();
      expect(pool.totalCount).toBe(0);
    }
    await blocker.end();
    await done();
    const client = await pool.connect();
    expect(client.listenerCount("error")).toBe(1);
    client.release();
  });

  test("work that ends the transaction itself isn't a success", async () => {
    for (let i = 0; i < 2; i++) {
      const call = options();
      const ending = barrier.transaction(pool, (client) => client.query("rollback"), call);
      await expect(ending).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
      expect(await barrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    }
  });

  test("a connection whose last holder didn't wait for his COMMIT is waited for", async () => {
    const client = await pool.connect();
    await client.query("begin");
    const committed = client.query("commit");
    client.release();
    await done();
    await expect(committed).resolves.toMatchObject({ command: "COMMIT" });
  });

  test("a name that somebody deallocated is given anew, also when the caller insists on it", async () => {
    await done({ prepared: true });
    await pool.query("deallocate all");
    await expect(done({ prepared: true })).rejects.toMatchObject({ code: "26000" });
    await done({ prepared: true });
  });

  test("one statement after the other with a pg whose messages can't wait for each other", async () => {
    await done({ prepared: true });
    const client = await pool.connect();
    Object.assign(Object(Reflect.get(client, "connection")), { writer: {} });
    client.release();
    expect(await sentDuring(() => done({ prepared: true }))).toEqual(["begin", "insert", "commit"]);
  });

  test("a wrapper of pg's clients that refuses query objects is heard", async () => {
    await pool.end();
    class Refusing extends pg.Client {}
    Object.defineProperty(Refusing.prototype, "query", {
      value(this: pg.Client, ...given: unknown[]): unknown {
        if (typeof Reflect.get(Object(given[0]), "submit") === "function") return Promise.reject(new Error("no objects"));
        return Reflect.apply(pg.Client.prototype.query, this, given);
      },
    });
    pool = openPool({ Client: Refusing } as pg.PoolConfig);
    await expect(done({ prepared: true })).rejects.toThrow("no objects");
  });

  test("a connection that somebody gave back in a transaction is closed, not used", async () => {
    const client = await pool.connect();
    await client.query("begin");
    client.release();
    await expect(barrier.transaction(pool, () => 1, options())).rejects.toMatchObject({ code: "TRANSACTION_OPEN" });
    await done();
  });

  test("what is no pool, or another driver's, is refused; and outside a branch call none is touched", async () => {
    const client = await pool.connect();
    const refused = (given: unknown) => barrier.transaction(given as pg.Pool, () => 1, options());
    await expect(refused(client)).rejects.toMatchObject({ code: "NOT_A_POOL" });
    await expect(refused({})).rejects.toMatchObject({ code: "WRONG_DRIVER" });
    client.release();
    const spy = jest.spyOn(pool, "connect");
    await expect(barrier.transaction(pool, () => 1, { table })).rejects.toMatchObject({ code: "NOT_IN_BRANCH" });
    expect(spy).not.toHaveBeenCalled();
  });
});

withServer({ name: "PgBouncer", variable: "DTM_TEST_PGBOUNCER" }, () => {
  test("through a pooler in transaction mode", async () => {
    const pool = new pg.Pool({ connectionString: process.env["DTM_TEST_PGBOUNCER"], max: 4 });
    const own = { table: "barrier_through_pooler" };
    await barrier.createTable(pool, own);
    const call = options(own);
    const results = await Promise.all(Array.from({ length: 16 }, () => barrier.transaction(pool, () => 1, again(call))));
    expect(results.filter(({ ran }) => ran)).toHaveLength(1);
    await pool.query(`drop table ${own.table}`);
    await pool.end();
  });
});

withServer({ name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () => {
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase("mysql");
  });
  afterAll(() => database.drop());

  test("mysql2 and mariadb refuse what is no pool, or has callbacks", async () => {
    const { host, port, user, password, name } = database;
    const access = { host, port, user, password, database: name };
    const two = await mysql.createConnection(access);
    const maria = await createConnection(access);
    const pool = mysqlCallbacks.createPool({ ...access, connectionLimit: 1 });
    await mysqlBarrier.createTable(two, { table });
    const given = options();
    await expect(mysqlBarrier.transaction(two as never, () => 1, given)).rejects.toMatchObject({ code: "NOT_A_POOL" });
    await expect(mysqlBarrier.transaction(pool as never, () => 1, given)).rejects.toMatchObject({ code: "NOT_A_POOL" });
    await expect(mariadbBarrier.transaction(maria as never, () => 1, given)).rejects.toMatchObject({ code: "NOT_A_POOL" });
    expect(await mysqlBarrier.transaction(pool.promise(), () => 1, given)).toEqual({ ran: true, value: 1 });
    expect(await mysqlBarrier.transaction(pool.promise(), () => 1, again(given))).toEqual({ ran: false, verdict: "skip" });
    await pool.promise().end();
    await two.end();
    await maria.end();
  });

  test("mariadb: a deadlock that the work swallowed is found out when the work went on", async () => {
    const { host, port, user, password, name } = database;
    const pool = createMariadbPool({ host, port, user, password, database: name, connectionLimit: 1 });
    await mariadbBarrier.createTable(pool, { table });
    const other = await mysql.createConnection({ host, port, user, password, database: name });
    await other.query("create table contended (id int primary key, n int) engine=innodb");
    await other.query("insert into contended values (1, 0), (2, 0)");
    await other.beginTransaction();
    // The server ends whoever has written less.
    for (let id = 10; id < 20; id++) await other.query("insert into contended values (?, 0)", [id]);
    await other.query("update contended set n = n + 1 where id = 2");
    const call = options();
    const swallowing = mariadbBarrier.transaction(
      pool,
      async (connection) => {
        await connection.query("update contended set n = n + 10 where id = 1");
        const theirs = other.query("update contended set n = n + 1 where id = 1");
        await connection.query("update contended set n = n + 10 where id = 2").catch(() => "never mind");
        await theirs;
        await other.commit();
        await connection.query("select 1");
      },
      call,
    );
    await expect(swallowing).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
    expect(await mariadbBarrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    await other.end();
    await pool.end();
  });

  test("a connection that breaks is closed, and the call runs on another", async () => {
    const { host, port, user, password, name } = database;
    const pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 2 });
    await mysqlBarrier.createTable(pool, { table });
    const call = options();
    const killed = mysqlBarrier.transaction(
      pool,
      async (connection) => {
        await pool.query(`kill ${connection.threadId}`);
        return connection.query("select 1");
      },
      call,
    );
    await expect(killed).rejects.toThrow();
    expect(await mysqlBarrier.transaction(pool, () => 1, again(call))).toMatchObject({ ran: true });
    await pool.end();
  });
});
