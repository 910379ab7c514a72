import mysql, { type Connection as Driver } from "mysql2/promise";
import { MYSQL, mysqlAddress, mysqlDatabase } from "../../../../test/kit/temporary-mysql.js";
import type { TemporaryDatabase } from "../../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../../test/kit/with-server.js";
import { Connection } from "../connection.js";
import { mysqlMigrator } from "../migrator.js";
import { Zone } from "../zone.js";
import { loadByGid } from "./load.js";

withServer(MYSQL, () => {
  let database: TemporaryDatabase;
  let driver: Driver;
  let db: Connection;
  beforeAll(async () => {
    database = await mysqlDatabase();
    await mysqlMigrator(mysqlAddress(database.name)).migrate();
    const { host, port, user, password } = mysqlAddress();
    driver = await mysql.createConnection({ host, port, user, password, database: database.name, dateStrings: true });
    db = new Connection(driver, new Zone(null));
  }, 60_000);
  afterAll(async () => {
    await driver.end();
    await database.drop();
  }, 60_000);

  const global = (gid: string): Promise<number> =>
    db.run(
      `INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, next_cron_time)
      VALUES (?, 'tcc', 'prepared', '', 'http', '2026-11-30 00:00:00')`,
      [gid],
    );
  const branch = (gid: string, branchId: string, op: string): Promise<number> =>
    db.run("INSERT INTO trans_branch_op (gid, branch_id, op, url, bin_data, status) VALUES (?, ?, ?, '', 'x', 'prepared')", [
      gid,
      branchId,
      op,
    ]);
  const filesMade = async (): Promise<string | undefined> =>
    String((await db.rows("SHOW SESSION STATUS LIKE 'Created_tmp_disk_tables'", []))[0]?.[1]);

  test("branches come in the order in which they were registered, and the database makes no file for it", async () => {
    for (const gid of ["b", "a", "none"]) await global(gid);
    // By the index they would come as 01, 02, 03, and confirm after cancel.
    await branch("a", "03", "confirm");
    await branch("b", "02", "confirm");
    await branch("a", "01", "confirm");
    await branch("b", "01", "confirm");
    await branch("a", "01", "cancel");
    const before = await filesMade();
    const loaded = await loadByGid(db, ["a", "none", "b", "unknown"]);
    expect(await filesMade()).toBe(before);
    const branches = [...loaded].map(([gid, { branches }]) => [gid, branches.map(({ branchId, op }) => `${branchId} ${op}`)]);
    expect(branches).toEqual([
      ["b", ["02 confirm", "01 confirm"]],
      ["a", ["03 confirm", "01 confirm", "01 cancel"]],
      ["none", []],
    ]);
  });
});
