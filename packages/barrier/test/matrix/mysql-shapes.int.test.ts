/** A pool may have its answers in other shapes: the barrier reads its own all the same. */
import mariadb from "mariadb";
import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import { barrier as mariadbBarrier } from "../../src/mariadb.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";
import type { AnyBarrier } from "./bed.js";

interface Closable {
  end(): unknown;
}

interface Shape {
  readonly name: string;
  readonly barrier: unknown;
  open(access: object): Closable & object;
}

const oddly = (): string => "odd";
const onMysql2 = (name: string, more: object): Shape => ({
  name: `mysql2, ${name}`,
  barrier: mysqlBarrier,
  open: (access) => mysql.createPool({ ...access, ...more }),
});
const onMariadb = (name: string, more: object): Shape => ({
  name: `mariadb, ${name}`,
  barrier: mariadbBarrier,
  open: (access) => mariadb.createPool({ ...access, allowPublicKeyRetrieval: true, ...more }),
});

const SHAPES: readonly Shape[] = [
  onMysql2("rowsAsArray", { rowsAsArray: true }),
  onMysql2("typeCast: false", { typeCast: false }),
  onMysql2("a typeCast of the pool's own", { typeCast: oddly }),
  onMysql2("nestTables", { nestTables: true }),
  onMysql2("namedPlaceholders", { namedPlaceholders: true }),
  {
    name: "mysql2 with callbacks, rowsAsArray",
    barrier: mysqlBarrier,
    open: (access) => mysqlCallbacks.createPool({ ...access, rowsAsArray: true }),
  },
  onMariadb("rowsAsArray", { rowsAsArray: true }),
  onMariadb("metaAsArray", { metaAsArray: true }),
  onMariadb("nestTables", { nestTables: true }),
  onMariadb("nestTables with a separator", { nestTables: "_" }),
  onMariadb("a typeCast of the pool's own", { typeCast: oddly }),
  onMariadb("namedPlaceholders", { namedPlaceholders: true }),
];

withServer({ name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" }, () => {
  const table = "barrier";
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase("mysql");
  });
  afterAll(() => database.drop());

  test.each(SHAPES)("$name", async ({ name, barrier: given, open }) => {
    const barrier = given as AnyBarrier;
    const { host, port, user, password, name: schema } = database;
    const pool = open({ host, port, user, password, database: schema });
    const branch = (gid: string) => ({ gid: `${gid} ${name}`, transType: "msg", branchId: "00", op: "msg" });
    try {
      await barrier.createTable(pool as never, { table });
      const connected = "promise" in pool ? (pool as mysqlCallbacks.Pool).promise() : pool;
      const done = await barrier.transaction?.(connected as never, () => 1, { branch: branch("done"), table });
      expect(done).toEqual({ ran: true, value: 1 });
      await barrier.queryPrepared(pool as never, { branch: branch("done"), table });
      const never = (async () => barrier.queryPrepared(pool as never, { branch: branch("never"), table }))();
      await expect(never).rejects.toMatchObject({ code: "FAILURE" });
      await database.read(`update ${table} set create_time = now() - interval 50 day`);
      expect(await barrier.cleanUp(pool as never, { table })).toEqual({ deleted: 2 });
    } finally {
      await pool.end();
    }
  });
});
