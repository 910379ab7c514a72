import { randomBytes } from "node:crypto";
import type { RowDataPacket } from "mysql2/promise";
import { MYSQL_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { type MigratableDatabase, migrateContract } from "../relational/contract/migrate.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
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

  test("one that broke off before it changed anything is pending still, and the next one does it", async () => {
    const database = await migratable();
    const pending = MIGRATIONS.map(({ version }) =>
      expect.stringMatching(`^pending: ${version} .*, on the tables that dtm made`),
    );
    await database.run(MYSQL_TABLES_OF_DTM);
    const user = `dtm_${randomBytes(4).toString("hex")}`;
    const account = `'${user}'@'%'`;
    const grant = (right: string): Promise<void> => database.run(`GRANT ${right} ON ${database.name}.* TO ${account}`);
    await database.run(`CREATE USER ${account} IDENTIFIED BY 'x'`);
    await grant("SELECT, INSERT, UPDATE, DELETE, CREATE");
    const migrator = mysqlMigrator({ ...mysqlAddress(database.name), user, password: "x" });
    for (let start = 0; start < 2; start++) {
      await expect(migrator.migrate()).rejects.toThrow(/lacks a right .*: ALTER command denied/);
      expect(await migrator.check(async () => undefined)).toEqual(pending);
    }
    await grant("ALL");
    await database.run(`${database.sql.insert}; UPDATE trans_global SET update_time = utc_timestamp() + INTERVAL 8 HOUR`);
    await expect(migrator.migrate()).rejects.toThrow(/is yet to come: set TimeZoneOffset/);
    await database.run("UPDATE trans_global SET update_time = utc_timestamp()");
    expect(await migrator.migrate()).toEqual(MIGRATIONS);
    expect(await migrator.check(async () => undefined)).toEqual([]);
    await database.run(`DROP USER ${account}`);
    await database.dispose();
  });

  test("a later one counts by its own table", async () => {
    const database = await migratable();
    await database.migrator.migrate();
    await database.run("DELETE FROM dtm_adopted; UPDATE dtm_migration SET applied_at = NULL WHERE version = 2");
    await expect(database.migrator.migrate()).rejects.toThrow(/^schema version 2 \(adopted\) was begun and broke off/);
    await database.run("DROP TABLE dtm_adopted");
    expect(await database.migrator.migrate()).toEqual(MIGRATIONS.slice(1));
    expect(await database.migrator.migrate()).toEqual([]);
    await database.dispose();
  });

  test("no limit for statements interrupts it, where the server has one", async () => {
    const database = await migratable();
    await inMysql(async (connection) => {
      const [limits] = await connection.query<RowDataPacket[]>("SHOW VARIABLES LIKE 'max_statement_time'");
      if (limits.length > 0) await connection.query("SET SESSION max_statement_time = 0.1");
      const [rows] = await migrationTarget(connection, database.name)(() => connection.query("SELECT sleep(0.5) AS isCutShort"));
      expect(rows).toEqual([{ isCutShort: 0 }]);
    }, database.name);
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

async function migratable(): Promise<MigratableDatabase & { readonly name: string }> {
  const { name, drop } = await mysqlDatabase();
  const address = mysqlAddress(name);
  return {
    name,
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
