/** `barrier.transaction` on MySQL's drivers: on MariaDB it begins with the barrier's insert, and on each way it keeps its promises. */
import { createPool as createMariadbPool } from "mariadb";
import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import { barrier as mariadbBarrier } from "../../src/mariadb.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { type Database, openDatabase, type Row, until } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";
import type { AnyBarrier } from "./bed.js";

interface AnyConnection {
  readonly threadId: number | null;
  query(sql: string | object, values?: unknown[]): Promise<unknown>;
  beginTransaction(): Promise<unknown>;
  release(): Promise<void> | void;
}

interface AnyPool {
  getConnection(): Promise<AnyConnection>;
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

interface Driver {
  readonly name: string;
  readonly barrier: AnyBarrier;
  open(access: object): AnyPool;
  /** The rows of the driver's answer. */
  rows(answer: unknown): Row[];
  /** As the driver answers with rows. */
  answer(rows: Row[]): unknown;
}

const DRIVERS: readonly Driver[] = [
  {
    name: "mysql2",
    barrier: mysqlBarrier as unknown as AnyBarrier,
    open: (access) => mysql.createPool(access),
    rows: (answer) => (answer as [Row[]])[0],
    answer: (rows) => [rows, []],
  },
  {
    name: "mariadb",
    barrier: mariadbBarrier as unknown as AnyBarrier,
    // Its pools would roll back what they get back in a transaction.
    open: (access) =>
      createMariadbPool({ ...access, acquireTimeout: 60_000, allowPublicKeyRetrieval: true, noControlAfterUse: true }),
    rows: (answer) => answer as Row[],
    answer: (rows) => rows,
  },
];

const table = "barrier";
let calls = 0;
const newCall = (): Call => ({ gid: `opening-${++calls}`, transType: "saga", branchId: "01", op: "action" });

interface Call {
  readonly gid: string;
  readonly transType: string;
  readonly branchId: string;
  readonly op: string;
}

withServer({ name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () => {
  let database: Database;
  let isMariadb: boolean;
  let access: { host: string; port: number; user: string; password: string; database: string };
  beforeAll(async () => {
    database = await openDatabase("mysql");
    const { host, port, user, password, name } = database;
    access = { host, port, user, password, database: name };
    isMariadb = String((await database.read("select version() as version"))[0]?.["version"]).includes("MariaDB");
    await mysqlBarrier.createTable(await other(), { table });
    await database.read("create table numbered (id int auto_increment primary key)");
  });
  afterAll(async () => {
    for (const connection of others) await connection.end();
    await database.drop();
  });

  const others: mysql.Connection[] = [];
  /** A connection of its own. */
  async function other(): Promise<mysql.Connection> {
    const connection = await mysql.createConnection(access);
    others.push(connection);
    return connection;
  }
  const rowsOf = async ({ gid }: Call): Promise<unknown[]> =>
    (await database.read(`select op, reason from ${table} where gid = '${gid}' order by id`)).map(Object.values);
  const INSERT = `insert into ${table} (trans_type, gid, branch_id, op, barrier_id, reason) values ('saga', ?, '01', ?, '01', 'rival')`;

  describe.each(DRIVERS)("$name", ({ barrier, open, rows, answer }) => {
    let pool: AnyPool;
    beforeEach(() => {
      pool = open({ ...access, connectionLimit: 1 });
    });
    afterEach(() => pool.end());

    const run = async (call: Call, work: (tx: AnyConnection) => unknown = () => 1, more: object = {}): Promise<unknown> =>
      await barrier.transaction?.(pool as never, (tx) => work(tx as AnyConnection), { branch: { ...call }, table, ...more });
    const ran = { ran: true, value: 1 };
    const skipped = { ran: false, verdict: "skip" };

    /** What passes between the barrier and the pool's connections while `doing`, its COMMIT left out, and what comes of it instead. */
    async function sentDuring(
      doing: () => Promise<unknown>,
      instead: (sql: string, connection: AnyConnection) => unknown = () => undefined,
      altered: (sql: string) => string = (sql) => sql,
    ): Promise<string[]> {
      const sent: string[] = [];
      const getConnection = pool.getConnection.bind(pool);
      const spy = jest.spyOn(pool, "getConnection").mockImplementation(async () => {
        const connection = await getConnection();
        const query = connection.query.bind(connection);
        const beginTransaction = connection.beginTransaction.bind(connection);
        return Object.assign(connection, {
          async query(given: string | { readonly sql: string }, values?: unknown[]) {
            const sql = typeof given === "string" ? given : given.sql;
            if (sql !== "commit")
              sent.push(sql.replace(/^begin not atomic rollback and chain; insert .*; end$/, "block").split(" ", 1)[0] ?? "");
            return instead(sql, connection) ?? (await query(typeof given === "string" ? altered(sql) : given, values));
          },
          beginTransaction() {
            sent.push("begin");
            return beginTransaction();
          },
        });
      });
      await doing().finally(() => spy.mockRestore());
      return sent;
    }

    /** How many statements the server of the pool's one connection counts while `doing`, and how many of them are blocks. */
    async function counted(doing: () => Promise<unknown>): Promise<{ statements: number; blocks: number }> {
      const look = async (): Promise<Record<string, number>> => {
        const connection = await pool.getConnection();
        const found = await connection.query("show session status where variable_name in ('Questions', 'Com_compound_sql')");
        await connection.release();
        return Object.fromEntries(rows(found).map((row) => [row["Variable_name"], Number(row["Value"])]));
      };
      const before = await look();
      await doing();
      const after = await look();
      const more = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
      return { statements: more("Questions") - 1, blocks: more("Com_compound_sql") };
    }

    /** What somebody else writes on the pool's one connection is there at once: no transaction was left open on it. */
    async function isClean(): Promise<void> {
      const { gid } = newCall();
      await pool.query(`insert into effect (k) values ('${gid}')`);
      expect(await database.read(`select k from effect where k = '${gid}'`)).toHaveLength(1);
    }

    test("BEGIN travels with the barrier's insert, once it is known that the server takes it", async () => {
      const [first, later] = isMariadb
        ? [["select", "block"], ["block"]]
        : [
            ["select", "rollback", "insert"],
            ["rollback", "insert"],
          ];
      expect(await sentDuring(() => run(newCall()))).toEqual(first);
      expect(await sentDuring(() => run(newCall()))).toEqual(later);
      const seen = await counted(() => run(newCall()));
      expect(seen).toEqual(isMariadb ? { statements: 2, blocks: 1 } : { statements: 3, blocks: 0 });
    });

    test("… not where the caller wants a prepared statement, and then nothing is asked", async () => {
      expect(await sentDuring(() => run(newCall(), undefined, { prepared: true }))).toEqual(["begin"]);
    });

    test("… with a session in Oracle's mode", async () => {
      await pool
        .query("set sql_mode = 'oracle'")
        .catch((cause) => expect(isMariadb ? cause : "MySQL has none").toBe("MySQL has none"));
      await run(newCall());
      expect(await sentDuring(() => run(newCall()))).toEqual(isMariadb ? ["block"] : ["rollback", "insert"]);
    });

    test("many first transactions at once may each ask, and all are right", async () => {
      await pool.end();
      pool = open({ ...access, connectionLimit: 4 });
      // mariadb opens one after the other.
      const opened = await Promise.all(Array.from({ length: 4 }, () => pool.getConnection()));
      for (const connection of opened) await connection.release();
      const call = newCall();
      const results: unknown[] = [];
      const sent = await sentDuring(async () => {
        results.push(...(await Promise.all(Array.from({ length: 4 }, () => run(call)))));
      });
      expect(sent.filter((what) => what === "select").length).toBeGreaterThan(1);
      expect(results.filter((result) => (result as { ran: boolean }).ran)).toHaveLength(1);
    });

    test("rows and verdicts are those of every other way", async () => {
      const call = newCall();
      expect(await run(call)).toEqual(ran);
      expect(await run(call)).toEqual(skipped);
      expect(await rowsOf(call)).toEqual([["action", "action"]]);
      const undo = { ...call, op: "compensate" };
      expect(await run(undo)).toEqual(ran);
      expect(await run(undo)).toEqual(skipped);
      const empty = { ...newCall(), op: "compensate" };
      expect(await run(empty)).toEqual(skipped);
      expect(await rowsOf(empty)).toEqual([
        ["action", "compensate"],
        ["compensate", "compensate"],
      ]);
      expect(await run({ ...empty, op: "action" })).toEqual(skipped);
    });

    test("values with quotes, backslashes and question marks arrive as they are", async () => {
      const call = { ...newCall(), branchId: "a'b\\c\"?; end" };
      expect(await run(call)).toEqual(ran);
      expect(await run(call)).toEqual(skipped);
      const found = await database.read(`select branch_id from ${table} where gid = '${call.gid}'`);
      expect(found).toEqual([{ branch_id: call.branchId }]);
    });

    test("an error of the work rolls back, and comes out as it is", async () => {
      for (let i = 0; i < 2; i++) {
        const call = newCall();
        const boom = new Error("the user's own");
        const failing = run(call, async (tx) => {
          await tx.query(`insert into effect (k) values ('${call.gid}')`);
          throw boom;
        });
        await expect(failing).rejects.toBe(boom);
        expect(await rowsOf(call)).toEqual([]);
        expect(await database.read(`select k from effect where k = '${call.gid}'`)).toEqual([]);
        expect(await run(call)).toEqual(ran);
      }
    });

    test("a missing table is named, and the connection goes on", async () => {
      for (let i = 0; i < 2; i++) {
        const failing = run(newCall(), undefined, { table: "not_there" });
        await expect(failing).rejects.toMatchObject({ code: "BARRIER_TABLE_MISSING" });
        await isClean();
        expect(await run(newCall())).toEqual(ran);
      }
    });

    test("the insert waits for a lock in vain: nothing ran, and the connection goes on", async () => {
      const rival = await other();
      await pool.query("set innodb_lock_wait_timeout = 1");
      for (let i = 0; i < 2; i++) {
        const call = newCall();
        await rival.beginTransaction();
        await rival.query(INSERT, [call.gid, "action"]);
        const work = jest.fn();
        await expect(run(call, work)).rejects.toMatchObject({ errno: 1205 });
        expect(work).not.toHaveBeenCalled();
        await rival.rollback();
        await isClean();
        expect(await run(call)).toEqual(ran);
      }
    });

    test("the insert ends in a deadlock: all of it is rolled back, and the connection goes on", async () => {
      const rival = await other();
      for (let i = 0; i < 2; i++) {
        const undo = { ...newCall(), op: "compensate" };
        await rival.beginTransaction();
        // The server ends whoever has written less.
        for (let k = 0; k < 10; k++) await rival.query(INSERT, [`${undo.gid}-${k}`, "action"]);
        await rival.query(INSERT, [undo.gid, "compensate"]);
        const work = jest.fn();
        const victim = expect(run(undo, work)).rejects.toMatchObject({ errno: 1213 });
        await until(async () => (await database.waiting()) === 1);
        await rival.query(INSERT, [undo.gid, "action"]);
        await victim;
        expect(work).not.toHaveBeenCalled();
        await rival.rollback();
        await isClean();
        expect(await rowsOf(undo)).toEqual([]);
        expect(await run(undo)).toEqual(skipped);
      }
    });

    test("a connection that breaks during the insert is closed, and the call runs on another", async () => {
      const rival = await other();
      for (let i = 0; i < 2; i++) {
        const call = newCall();
        await rival.beginTransaction();
        await rival.query(INSERT, [call.gid, "action"]);
        const held = await pool.getConnection();
        const { threadId } = held;
        await held.release();
        const killed = expect(run(call)).rejects.toThrow();
        await until(async () => (await database.waiting()) === 1);
        await database.read(`kill ${threadId}`);
        await killed;
        await rival.rollback();
        expect(await run(call)).toEqual(ran);
      }
    });

    test("a level that was set for the next transaction holds for it", async () => {
      for (let i = 0; i < 2; i++) {
        const { gid } = newCall();
        await pool.query("set transaction isolation level read committed");
        const look = `select k from effect where k = '${gid}'`;
        const seen = await run(newCall(), async (tx) => {
          const before = rows(await tx.query(look)).length;
          await database.read(`insert into effect (k) values ('${gid}')`);
          return [before, rows(await tx.query(look)).length];
        });
        expect(seen).toEqual({ ran: true, value: [0, 1] });
      }
    });

    test("a session without autocommit commits, too", async () => {
      await pool.query("set autocommit = 0");
      for (let i = 0; i < 2; i++) {
        const call = newCall();
        expect(await run(call)).toEqual(ran);
        expect(await rowsOf(call)).toEqual([["action", "action"]]);
      }
    });

    test.each([undefined, true])("what a former holder left open is rolled back (prepared: %s)", async (prepared) => {
      for (let i = 0; i < 2; i++) {
        const { gid } = newCall();
        const careless = await pool.getConnection();
        await careless.beginTransaction();
        await careless.query(`insert into effect (k) values ('${gid}')`);
        await careless.release();
        const call = newCall();
        await expect(run(call, () => Promise.reject(new Error("boom")), { prepared })).rejects.toThrow("boom");
        expect(await rowsOf(call)).toEqual([]);
        expect(await database.read(`select k from effect where k = '${gid}'`)).toEqual([]);
      }
      await isClean();
    });

    describe.each([{}, { prepared: true }])("work that commits along the way (%j)", (more) => {
      const boom = new Error("the user's own");
      const WORKS: Readonly<Record<string, (tx: AnyConnection) => Promise<unknown>>> = {
        "by making a table": (tx) => tx.query("create table if not exists made_by_work (id int)"),
        "by beginning and rolling back by itself": async (tx) => {
          await tx.beginTransaction();
          await tx.query("insert into effect (k) values ('half done')");
          await tx.query("rollback");
        },
      };

      test.each(Object.keys(WORKS))("%s, and then fails, is done again", async (name) => {
        for (const origin of ["action", "compensate"]) {
          const call = { ...newCall(), op: origin };
          if (origin === "compensate") await run({ ...call, op: "action" }, undefined, more);
          const before = await rowsOf(call);
          for (let i = 0; i < 3; i++) {
            const failing = run(
              call,
              async (tx) => {
                await WORKS[name]?.(tx);
                // Its number mustn't be taken for that of the barrier's row.
                await tx.query("insert into numbered (id) values (null)");
                throw boom;
              },
              more,
            );
            await expect(failing).rejects.toBe(boom);
            expect(await rowsOf(call)).toEqual(before);
          }
          expect(await run(call, undefined, more)).toEqual(ran);
          expect(await run(call, undefined, more)).toEqual(skipped);
        }
        await isClean();
      });

      test("… in a session without autocommit", async () => {
        await pool.query("set autocommit = 0");
        const call = newCall();
        const failing = run(
          call,
          async (tx) => {
            await tx.query("create table if not exists made_by_work (id int)");
            throw boom;
          },
          more,
        );
        await expect(failing).rejects.toBe(boom);
        expect(await rowsOf(call)).toEqual([]);
      });

      test("… and succeeds isn't done twice, whether the driver tells or not", async () => {
        const call = newCall();
        const committing = run(call, (tx) => tx.query("create table if not exists made_by_work (id int)"), more);
        await committing.catch((cause: unknown) => expect(cause).toMatchObject({ code: "NOT_A_TRANSACTION" }));
        expect(await rowsOf(call)).toEqual([["action", "action"]]);
        expect(await run(call, undefined, more)).toEqual(skipped);
      });

      test("the row of another delivery, which came when this one's was gone, stays", async () => {
        const call = newCall();
        const failing = run(
          call,
          async (tx) => {
            await tx.query("rollback");
            const rival = await other();
            await rival.query(INSERT, [call.gid, "action"]);
            throw boom;
          },
          more,
        );
        await expect(failing).rejects.toBe(boom);
        expect(await rowsOf(call)).toEqual([["action", "rival"]]);
      });
    });

    test("a transaction that is over after the insert is told, and the row is taken back", async () => {
      const call = newCall();
      const ending = (sql: string): string => sql.replace("rollback and chain; ", "");
      const sent = await sentDuring(
        async () => {
          if (isMariadb) await expect(run(call)).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
        },
        undefined,
        ending,
      );
      expect(sent).toEqual(isMariadb ? ["select", "block", "delete"] : []);
      expect(await rowsOf(call)).toEqual([]);
    });

    describe("on a server that takes it, as it seems,", () => {
      /** The answer of a server, whichever there is. */
      const says =
        (version: string, other = false) =>
        (sql: string, connection: AnyConnection) =>
          sql.startsWith("select version") ? answer([{ version, id: Number(connection.threadId) + (other ? 1 : 0) }]) : undefined;

      test("but refuses it: the same transaction begins as ever, and so do those after it", async () => {
        const refusing = (sql: string, connection: AnyConnection): unknown => {
          if (!sql.startsWith("begin not atomic")) return says("10.11.2-MariaDB")(sql, connection);
          throw Object.assign(new Error("You have an error in your SQL syntax"), { errno: 1064, code: "ER_PARSE_ERROR" });
        };
        const call = newCall();
        const first = await sentDuring(async () => expect(await run(call)).toEqual(ran), refusing);
        expect(first).toEqual(["select", "block", "begin", "insert"]);
        expect(await rowsOf(call)).toEqual([["action", "action"]]);
        const second = await sentDuring(async () => expect(await run(call)).toEqual(skipped), refusing);
        expect(second).toEqual(["begin", "insert"]);
        expect(await sentDuring(() => run(newCall()))).toEqual(["begin", "insert"]);
      });

      test("but is MySQL: begins as ever, and is asked once", async () => {
        expect(await sentDuring(() => run(newCall()), says("8.4.6"))).toEqual(["select", "rollback", "insert"]);
        expect(await sentDuring(() => run(newCall()))).toEqual(["rollback", "insert"]);
      });

      test("but isn't who greeted the connection: a proxy is in between, and begins as ever", async () => {
        expect(await sentDuring(() => run(newCall()), says("10.11.2-MariaDB", true))).toEqual(["select", "begin", "insert"]);
        expect(await sentDuring(() => run(newCall()))).toEqual(["begin", "insert"]);
      });

      test("but didn't answer the question: begins as ever, and is asked again", async () => {
        const failing = (sql: string): unknown => {
          if (sql.startsWith("select version")) throw new Error("not now");
          return undefined;
        };
        expect(await sentDuring(() => run(newCall()), failing)).toEqual(["select", "begin", "insert"]);
        expect((await sentDuring(() => run(newCall())))[0]).toBe("select");
        expect((await sentDuring(() => run(newCall())))[0]).not.toBe("select");
      });
    });
  });

  test("mysql2: a pool is asked once, however often its promise() is called", async () => {
    const pool = mysqlCallbacks.createPool({ ...access, connectionLimit: 1 });
    const asked = jest.spyOn(mysqlCallbacks.Connection.prototype as never, "query" as never);
    for (let i = 0; i < 3; i++) {
      await mysqlBarrier.transaction(pool.promise(), () => 1, { branch: newCall(), table });
    }
    const questions = (asked.mock.calls as unknown[][]).filter(([sql]) => String(Object(sql).sql ?? sql).includes("version()"));
    expect(questions).toHaveLength(1);
    asked.mockRestore();
    await pool.promise().end();
  });
});
