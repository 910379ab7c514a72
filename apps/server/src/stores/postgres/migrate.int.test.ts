import { POSTGRES_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import { inPostgres, POSTGRES, postgresAddress, postgresDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { titleOf } from "../migrate.js";
import { type MigratableDatabase, migrateContract } from "../relational/contract/migrate.js";
import { migrationTarget } from "./migration-target.js";
import { postgresMigrator } from "./migrator.js";
import { openPostgres } from "./store.js";
import { tablesIn } from "./tables.js";

jest.setTimeout(180_000);

withServer(POSTGRES, () => {
  migrateContract("PostgreSQL", () => migratable("public"));
  migrateContract("PostgreSQL, in a schema of its own", () => migratable("of our own"));

  test("an operator's limit for statements doesn't end a migration that takes longer", async () => {
    const database = await migratable("public");
    await database.run(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 150', current_database()); END $$`);
    const waiting = await database.whileMigrating(async () => {
      const migrated = database.migrator.migrate();
      await new Promise((resolve) => setTimeout(resolve, 500));
      return { migrated };
    });
    expect(await waiting.migrated).toHaveLength(database.migrator.known.length);
    await database.dispose();
  });

  test("a migration that breaks off leaves nothing: all of it is pending again", async () => {
    const database = await migratable("public");
    await database.run("CREATE VIEW trans_branch_op AS SELECT 1 AS x");
    await expect(database.migrator.migrate()).rejects.toThrow(/schema public: .* \(\w{5}\)$/);
    expect(await database.tables()).toEqual([]);
    expect(await database.migrator.check(async () => undefined)).toEqual(
      database.migrator.known.map((migration) => `pending: ${titleOf(migration)}`),
    );
    await database.dispose();
  });
});

async function migratable(schema: string): Promise<MigratableDatabase> {
  const { name, drop } = await postgresDatabase();
  const address = { ...postgresAddress(name), schema };
  const tables = tablesIn(schema);
  const path = `SET search_path = ${tables.schema}`;
  return {
    migrator: postgresMigrator(address),
    async open({ autoMigrate }) {
      const store = openPostgres({ ...address, autoMigrate });
      await store.open();
      return store;
    },
    run: (sql) => inPostgres(async (client) => void (await client.query(`${path}; ${sql}`)), name),
    tables: () =>
      inPostgres(async (client) => {
        const { rows } = await client.query<{ name: string }>(
          "SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY tablename",
          [schema],
        );
        return rows.map((row) => row.name);
      }, name),
    whileMigrating: (work) => inPostgres((client) => migrationTarget(client, tables)(work), name),
    sql: {
      ofDtm: `CREATE SCHEMA IF NOT EXISTS ${tables.schema}; ${POSTGRES_TABLES_OF_DTM}`,
      insert: `
        INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
        VALUES ('of-dtm', 'saga', 'submitted', '', 'http', now(), now(), 10, now(), '')`,
      take: "UPDATE trans_global SET owner = 'JvXB7vqGKGPHmxnzWWN6zN', update_time = now() WHERE gid = 'of-dtm'",
      future: "INSERT INTO dtm_migration VALUES (99, 'future', 'x', now())",
    },
    dispose: drop,
  };
}
