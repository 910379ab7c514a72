/** What an application may have set on the sessions of its pool, and how XA gets along with it. */
import { randomBytes } from "node:crypto";
import mysql from "mysql2/promise";
import { BranchCall, runInBranch } from "../../src/context.js";
import { recoverXa, type XaDatabase, xaBranch, xaMysql2 } from "../../src/xa.js";
import { withServer } from "../kit/with-server.js";
import { type Bed, makeBed, SERVERS } from "./beds.js";

const registered = async (): Promise<void> => undefined;

withServer(SERVERS.mysql2, () => {
  let bed: Bed;
  let pool: mysql.Pool;
  const own = `set-${randomBytes(6).toString("hex")}`;

  beforeAll(async () => {
    bed = await makeBed("mysql2");
  });
  afterAll(() => bed.drop());
  afterEach(async () => {
    await pool.end();
    await recoverXa(bed.database, {
      query: async (asked) => (asked.startsWith(own) ? "failed" : "prepared"),
      minAgeSeconds: 0,
    });
  });

  /** XA over a pool each of whose sessions begins with `set`. */
  function poolThat(set: string): XaDatabase<mysql.PoolConnection> {
    pool = mysql.createPool({ uri: bed.address, connectionLimit: 2 });
    pool.on("connection", (connection) => void connection.query(set));
    return xaMysql2(pool, { table: bed.table });
  }

  const serve = (database: XaDatabase<mysql.PoolConnection>, gid: string, op: string): Promise<unknown> =>
    runInBranch(
      new BranchCall({ gid, branchId: "01", op, transType: "xa", phase2Url: "http://s/xa", coordinator: "http://d" }),
      () =>
        xaBranch(database, { register: registered }, (connection) =>
          connection.query("update account set balance = balance + 1 where id = 1"),
        ),
    );

  test("READ UNCOMMITTED: a prepared row isn't taken for a committed one", async () => {
    const gid = `${own}-dirty`;
    const database = poolThat("set session transaction isolation level read uncommitted");
    const session = await bed.database.open();
    const branch = { gid, branchId: "01", text: `${gid}-01`, transType: "xa", op: "action" };
    await session.start(branch);
    await session.insertRow(branch);
    await session.connection("update account set balance = balance + 1 where id = 1");
    await session.prepare(branch);
    const before = await bed.balance();
    // MySQL since 8.0.29 lets go of it at once, and commits.
    const committed = await serve(database, gid, "commit").then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ code: "XA_NOT_PREPARED" });
        return false;
      },
    );
    expect(await bed.balance()).toBe(before + (committed ? 1 : 0));
    await session.close();
    await serve(database, gid, "commit");
    expect(await bed.balance()).toBe(before + 1);
  });

  test("autocommit off: both phases, and the ages of several that were left", async () => {
    const database = poolThat("set session autocommit = 0");
    const before = await bed.balance();
    for (const op of ["action", "action", "commit", "commit"]) await serve(database, `${own}-1`, op);
    for (const op of ["rollback", "rollback"]) await serve(database, `${own}-2`, op);
    await expect(serve(database, `${own}-3`, "commit")).rejects.toMatchObject({ code: "XA_NOT_PREPARED" });
    expect(await bed.balance()).toBe(before + 1);
    const left = [`${own}-4`, `${own}-5`];
    for (const gid of left) {
      const session = await database.open();
      const branch = { gid, branchId: "01", text: `${gid}-01`, transType: "xa", op: "action" };
      await session.start(branch);
      await session.insertRow(branch);
      await session.prepare(branch);
      await session.close();
    }
    const found = await recoverXa(database, {
      query: async (asked) => (left.includes(asked) ? "failed" : "prepared"),
      minAgeSeconds: 0,
    });
    expect(found.filter(({ gid }) => left.includes(gid)).map(({ outcome }) => outcome)).toEqual(["rolled back", "rolled back"]);
  });
});
