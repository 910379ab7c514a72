import type { RowDataPacket } from "mysql2/promise";
import { MYSQL_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { type MigratableDatabase, migrateContract } from "../relational/contract/migrate.js";
import { migrationTarget } from "./migration-target.js";
import { mysqlMigrator } from "./migrator.js";
import { openMysql } from "./store.js";

jest.setTimeout(180_000);

withServer(MYSQL, () => {
  migrateContract("MySQL", migratable);

  test("a migration that broke off is told by the check and by the next one", async () => {
    const database = await migratable();
    await database.run("CREATE TABLE dtm_node (id int)");
    await expect(database.migrator.migrate()).rejects.toThrow(/dtm_node/);
    const brokeOff = /^schema version 1 \(initial\) was begun and broke off: restore the backup, or undo what it made/;
    expect(await database.migrator.check(async () => undefined)).toEqual([expect.stringMatching(brokeOff)]);
    await expect(database.migrator.migrate()).rejects.toThrow(brokeOff);
    await database.dispose();
  });

  test("times of another zone are told with what is pending (R19)", async () => {
    const database = await migratable();
    await database.run(MYSQL_TABLES_OF_DTM);
    await database.run(database.sql.insert);
    await database.run("UPDATE trans_global SET update_time = utc_timestamp() + INTERVAL 8 HOUR");
    expect(await database.migrator.check(async () => undefined)).toEqual([
      expect.stringMatching(/^pending: 1 initial, on the tables that dtm made/),
      expect.stringMatching(/^pending: 2 adopted, /),
      expect.stringMatching(
        /^the newest update_time in trans_global, .*, is yet to come: set TimeZoneOffset \(TIME_ZONE_OFFSET\)/,
      ),
    ]);
    await database.dispose();
  });
});

async function migratable(): Promise<MigratableDatabase> {
  const { name, drop } = await mysqlDatabase();
  const address = mysqlAddress(name);
  return {
    migrator: mysqlMigrator(address),
    async open({ autoMigrate }) {
      const store = openMysql({ ...address, autoMigrate });
      await store.open();
      return store;
    },
    run: (sql) => inMysql(async (connection) => void (await connection.query(sql)), name),
    tables: () =>
      inMysql(async (connection) => {
        const [rows] = await connection.query<RowDataPacket[]>(
          "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database() ORDER BY table_name",
        );
        return rows.map((row) => String(row["name"]));
      }, name),
    whileMigrating: (work) => inMysql((connection) => migrationTarget(connection, name)(work), name),
    sql: {
      ofDtm: MYSQL_TABLES_OF_DTM,
      insert: `
        INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
        VALUES ('of-dtm', 'saga', 'submitted', '', 'http', utc_timestamp(), utc_timestamp(), 10, utc_timestamp(), '')`,
      take: "UPDATE trans_global SET owner = 'JvXB7vqGKGPHmxnzWWN6zN', update_time = utc_timestamp() WHERE gid = 'of-dtm'",
      future: "INSERT INTO dtm_migration VALUES (99, 'future', 'x', utc_timestamp(), utc_timestamp())",
    },
    dispose: drop,
  };
}
