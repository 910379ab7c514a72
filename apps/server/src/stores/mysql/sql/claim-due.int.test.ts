/** What is due where clocks are set back and an hour comes twice (R19). */
import mysql, { type Connection as Driver } from "mysql2/promise";
import { Berlin, SET_BACK } from "../../../../test/kit/berlin.js";
import { MYSQL, mysqlAddress, mysqlDatabase } from "../../../../test/kit/temporary-mysql.js";
import type { TemporaryDatabase } from "../../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../../test/kit/with-server.js";
import { Connection } from "../connection.js";
import { mysqlMigrator } from "../migrator.js";
import { dueGlobals } from "./claim-due.js";

const MINUTE = 60_000;

withServer(MYSQL, () => {
  let database: TemporaryDatabase;
  let driver: Driver;
  let db: Connection;
  const zone = new Berlin();
  beforeAll(async () => {
    database = await mysqlDatabase();
    await mysqlMigrator(mysqlAddress(database.name)).migrate();
    const { host, port, user, password } = mysqlAddress();
    driver = await mysql.createConnection({ host, port, user, password, database: database.name, dateStrings: true });
    db = new Connection(driver, zone);
  }, 60_000);
  afterAll(async () => {
    await driver.end();
    await database.drop();
  }, 60_000);

  const rests = (gid: string, due: number, finer: number | null): Promise<number> =>
    db.run(
      `INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, next_cron_time, due_at)
      VALUES (?, 'saga', 'submitted', '', 'http', ?, ?)`,
      [gid, zone.toText(due), finer],
    );
  const dueAt = async (now: number): Promise<string[]> =>
    (await dueGlobals(db, { owner: "here:1", limit: 4, now })).map(({ gid }) => gid);

  test("what is due in the second of two equal hours is not due in the first, and keeps nobody waiting", async () => {
    const [first, second] = [SET_BACK - 30 * MINUTE, SET_BACK + 10 * MINUTE];
    await rests("second", second, second);
    expect(await dueAt(first)).toEqual([]);
    expect(await dueAt(second)).toEqual(["second"]);
    await rests("first", first, first);
    expect(await dueAt(first)).toEqual(["first"]);
    await db.run("DELETE FROM trans_global", []);
  });

  test("what was due in the first of two equal hours is due in the second one too, whatever dtm's time says there", async () => {
    const now = SET_BACK + 5_000;
    await rests("left over", SET_BACK - 10_000, SET_BACK - 10_000);
    await rests("yet to come", SET_BACK + 20 * MINUTE, SET_BACK + 20 * MINUTE);
    await rests("touched by dtm", SET_BACK + 30 * MINUTE, SET_BACK - 10_000);
    await rests("of dtm", SET_BACK + 30 * MINUTE, null);
    expect(await dueAt(now)).toEqual(["left over"]);
    await db.run("DELETE FROM trans_global", []);
  });

  test("where dtm has moved its time ours doesn't count", async () => {
    const now = SET_BACK - 30 * MINUTE;
    await rests("touched by dtm", now - MINUTE, now + 50 * MINUTE);
    expect(await dueAt(now)).toEqual(["touched by dtm"]);
    await db.run("DELETE FROM trans_global", []);
    await rests("of dtm", now - MINUTE, null);
    expect(await dueAt(now)).toEqual(["of dtm"]);
  });
});
