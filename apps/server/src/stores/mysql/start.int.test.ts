/** What keeps the store from opening: one line each, which names the setting and what to do. */
import { createServer } from "node:net";
import type { Connection } from "mysql2/promise";
import { until } from "../../../test/e2e/kit/until.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import type { TemporaryDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { saga } from "../contract/fixtures.js";
import { MIGRATIONS } from "./migrations/index.js";
import { mysqlMigrator } from "./migrator.js";
import { type MysqlOptions, openMysql } from "./store.js";

jest.setTimeout(120_000);

withServer(MYSQL, () => {
  const databases: TemporaryDatabase[] = [];
  afterAll(() => Promise.all(databases.map((database) => database.drop())));

  const fresh = async (): Promise<MysqlOptions> => {
    const database = await mysqlDatabase();
    databases.push(database);
    return mysqlAddress(database.name);
  };
  const within = <T>({ database }: MysqlOptions, work: (connection: Connection) => Promise<T>): Promise<T> =>
    inMysql(work, database);
  const refusal = async (given: MysqlOptions): Promise<string> => {
    try {
      const store = openMysql(given);
      await store.open();
      await store.close();
      return "opened";
    } catch (cause) {
      return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    }
  };

  test("a database that isn't there", async () => {
    expect(await refusal({ ...(await fresh()), database: "nowhere_at_all" })).toMatch(
      /^DatabaseUnusable: the database nowhere_at_all does not exist .*: create it, or set Store\.Db \(STORE_DB\)$/,
    );
  });

  test("a user that isn't known", async () => {
    expect(await refusal({ ...(await fresh()), user: "nobody_we_know", password: "x" })).toMatch(
      /^DatabaseUnusable: .* refused the user nobody_we_know: .*; check Store\.User \(STORE_USER\) and Store\.Password \(STORE_PASSWORD\), and Store\.TlsMode/,
    );
  });

  test("a user without rights: on the database, and on what is in it", async () => {
    const address = await fresh();
    const user = `dtm_${address.database.slice(-8)}`;
    const account = `'${user}'@'%'`;
    await inMysql((connection) => connection.query(`CREATE USER ${account} IDENTIFIED BY 'x'`));
    const own = { ...address, user, password: "x" };
    const lacks = (what: string): RegExp =>
      new RegExp(
        `^DatabaseUnusable: the user ${user} lacks a right in ${address.database}: ${what}.*; grant it, or set Store\\.User \\(STORE_USER\\) or Store\\.Db \\(STORE_DB\\)$`,
      );
    expect(await refusal(own)).toMatch(lacks("Access denied for user"));
    const grant = (right: string) =>
      inMysql((connection) => connection.query(`GRANT ${right} ON ${address.database}.* TO ${account}`));
    await grant("SELECT");
    expect(await refusal(own)).toMatch(lacks("CREATE command denied"));
    expect(await refusal(address)).toBe("opened");
    for (const autoMigrate of [true, false])
      expect(await refusal({ ...own, autoMigrate })).toMatch(lacks("DELETE command denied"));
    await grant("DELETE, INSERT, UPDATE");
    expect(await refusal(own)).toBe("opened");
    await inMysql((connection) => connection.query(`DROP USER ${account}`));
  });

  test("a user that may not even see the tables isn't told that they are missing", async () => {
    const address = await fresh();
    expect(await refusal(address)).toBe("opened");
    const user = `dtm_${address.database.slice(-8)}`;
    await inMysql((connection) =>
      connection.query(
        `CREATE USER '${user}'@'%' IDENTIFIED BY 'x'; GRANT ALL ON ${address.database}.dtm_migration TO '${user}'@'%'`,
      ),
    );
    expect(await refusal({ ...address, user, password: "x" })).toMatch(/ lacks a right in .*: SELECT command denied/);
    await inMysql((connection) => connection.query(`DROP USER '${user}'@'%'`));
  });

  test("nobody listens there", async () => {
    expect(await refusal({ ...(await fresh()), port: await deadPort() })).toMatch(
      /^DatabaseUnusable: no MySQL or MariaDB answers at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; check Store\.Host \(STORE_HOST\), Store\.Port/,
    );
  });

  test("a file that can't be read", async () => {
    const tls = { mode: "verify-ca", caFile: "/nowhere/ca.pem", certFile: "", keyFile: "" } as const;
    expect(await refusal({ ...(await fresh()), tls })).toBe(
      "DatabaseUnusable: Store.TlsCaFile (STORE_TLS_CA_FILE) names /nowhere/ca.pem, which can't be read: ENOENT",
    );
  });

  test("a schema of a newer release, one that was applied in another form, and one that broke off", async () => {
    const address = await fresh();
    expect(await refusal(address)).toBe("opened");
    await within(address, (connection) =>
      connection.query("INSERT INTO dtm_migration VALUES (99, 'future', 'x', utc_timestamp(), utc_timestamp())"),
    );
    expect(await refusal(address)).toMatch(/^MigrationRefused: the database has schema version 99 \(future\), this server knows/);
    await within(address, (connection) => connection.query("UPDATE dtm_migration SET applied_at = NULL WHERE version = 99"));
    expect(await refusal(address)).toMatch(
      /^MigrationRefused: schema version 99 \(future\) was begun and broke off: restore the backup/,
    );
    await within(address, (connection) =>
      connection.query("DELETE FROM dtm_migration WHERE version = 99; UPDATE dtm_migration SET checksum = 'y'"),
    );
    expect(await refusal(address)).toMatch(/^MigrationRefused: schema version 1 .* in another form/);
  });

  test("a migration that breaks off is told at the next start", async () => {
    const address = await fresh();
    await within(address, (connection) => connection.query("CREATE TABLE dtm_node (id int)"));
    expect(await refusal(address)).toMatch(/^DatabaseUnusable: .*dtm_node.* \(1050\)$/);
    expect(await refusal(address)).toMatch(/^MigrationRefused: schema version 1 \(initial\) was begun and broke off/);
  });

  test("a start that loses a deadlock to whoever is at work goes on", async () => {
    const address = await fresh();
    expect(await refusal(address)).toBe("opened");
    const rows = (owner: string, gids: readonly string[]): string =>
      `INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, owner) VALUES ${gids
        .map((gid) => `('${gid}', 'saga', 'submitted', '', 'http', '${owner}')`)
        .join(", ")}`;
    await within(address, (connection) => connection.query(rows("of-dtm", ["first", "second"])));
    await within(address, async (atWork) => {
      await atWork.query("START TRANSACTION");
      // The server ends whoever has written less.
      await atWork.query(
        rows(
          "",
          Array.from({ length: 100 }, (_, i) => `other-${i}`),
        ),
      );
      await atWork.query("UPDATE trans_global SET result = 'x' WHERE gid = 'second'");
      const starting = refusal(address);
      await until("the start waits for a lock", async () => {
        const [waiting] = await within(address, (connection) =>
          connection.query(
            `SELECT 1 FROM information_schema.processlist
             WHERE db = '${address.database}' AND info LIKE 'UPDATE trans_global SET owner%'`,
          ),
        );
        return Array.isArray(waiting) && waiting.length > 0 ? true : undefined;
      });
      await atWork.query("UPDATE trans_global SET result = 'x' WHERE gid = 'first'");
      await atWork.query("COMMIT");
      expect(await starting).toBe("opened");
    });
    const [owned] = await within(address, (connection) => connection.query("SELECT gid FROM trans_global WHERE owner > ''"));
    expect(owned).toEqual([]);
  });

  describe("times that were written in another zone (R19)", () => {
    const SHANGHAI = 8;
    /** What a server in China has left: one that rests, and one that is over. */
    const leftIn = async (zoneHours: number): Promise<MysqlOptions> => {
      const address = await fresh();
      const store = openMysql({ ...address, zoneHours });
      await store.open();
      await store.create(saga({ nextCronTime: Date.now() + 3_600_000 }));
      await store.create(saga({ status: "succeed", nextCronTime: Date.now() }));
      await store.close();
      return address;
    };
    const line =
      /^(DatabaseUnusable: )?the times in trans_global were written in UTC\+8, and this server would read them in UTC\+0: set TimeZoneOffset \(TIME_ZONE_OFFSET\) to \+8, or TZ to .*; all servers on one database must agree$/;

    test("a second server, or the next one, is told, whether it may migrate or not, and so is the check", async () => {
      const address = await leftIn(SHANGHAI);
      for (const autoMigrate of [true, false]) expect(await refusal({ ...address, autoMigrate })).toMatch(line);
      expect(await mysqlMigrator(address).check(async () => undefined)).toEqual([expect.stringMatching(line)]);
      expect(await refusal({ ...address, zoneHours: SHANGHAI })).toBe("opened");
    });

    test("what is over for days, or was dtm's meanwhile, keeps nobody", async () => {
      const address = await leftIn(SHANGHAI);
      const refusedAfter = async (change: string): Promise<string> => {
        await within(address, (connection) => connection.query(change));
        return refusal(address);
      };
      expect(await refusedAfter("UPDATE trans_global SET owner = 'JvXB7vqGKGPHmxnzWWN6zN' WHERE status = 'submitted'")).toBe(
        "opened",
      );
      expect(await refusal(address)).toMatch(line);
      const days = "INTERVAL 2 DAY";
      expect(
        await refusedAfter(
          `UPDATE trans_global SET status = 'failed', next_cron_time = next_cron_time - ${days}, due_at = due_at - 2 * 86400000`,
        ),
      ).toBe("opened");
    });
  });

  test("several servers that start at once migrate once", async () => {
    const address = await fresh();
    expect(await Promise.all(Array.from({ length: 4 }, () => refusal(address)))).toEqual([
      "opened",
      "opened",
      "opened",
      "opened",
    ]);
    const [rows] = await within(address, (connection) => connection.query("SELECT version FROM dtm_migration"));
    expect(rows).toEqual(MIGRATIONS.map(({ version }) => ({ version })));
  });
});

/** A port that was free a moment ago. */
function deadPort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
