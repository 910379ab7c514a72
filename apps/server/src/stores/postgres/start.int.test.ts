/** What keeps the store from opening: one line each, which names the setting and what to do. */
import { createServer } from "node:net";
import type pg from "pg";
import { until } from "../../../test/e2e/kit/until.js";
import {
  inPostgres,
  POSTGRES,
  postgresAddress,
  postgresDatabase,
  type TemporaryDatabase,
} from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { saga } from "../contract/fixtures.js";
import { MIGRATIONS } from "./migrations/index.js";
import { openPostgres, type PostgresOptions } from "./store.js";

jest.setTimeout(120_000);

withServer(POSTGRES, () => {
  let database: TemporaryDatabase;
  beforeAll(async () => {
    database = await postgresDatabase();
  });
  afterAll(() => database.drop());

  const options = (overrides: Partial<PostgresOptions> = {}): PostgresOptions => ({
    ...postgresAddress(database.name),
    ...overrides,
  });
  const inDatabase = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => inPostgres(work, database.name);
  const refusal = async (given: PostgresOptions): Promise<string> => {
    try {
      const store = openPostgres(given);
      await store.open();
      await store.close();
      return "opened";
    } catch (cause) {
      return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    }
  };

  test("a database that isn't there", async () => {
    expect(await refusal(options({ database: "nowhere_at_all" }))).toMatch(
      /^DatabaseUnusable: the database nowhere_at_all does not exist .*: create it, or set Store\.Db \(STORE_DB\)$/,
    );
  });

  test("a user that isn't known", async () => {
    expect(await refusal(options({ user: "nobody_we_know" }))).toMatch(
      /^DatabaseUnusable: .* refused the user nobody_we_know: .*; check Store\.User \(STORE_USER\) and Store\.Password \(STORE_PASSWORD\)$/,
    );
  });

  test("a user that may not make tables", async () => {
    const user = `dtm_reader_${database.name.slice(4)}`;
    await inDatabase((client) =>
      client.query(`CREATE ROLE ${user} LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC`),
    );
    expect(await refusal(options({ user, password: "x" }))).toMatch(
      /^DatabaseUnusable: the user .* may not make or change tables in schema public/,
    );
    await inDatabase((client) => client.query(`DROP ROLE ${user}`));
  });

  test("nobody listens there", async () => {
    expect(await refusal(options({ port: await deadPort() }))).toMatch(
      /^DatabaseUnusable: no PostgreSQL answers at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; check Store\.Host \(STORE_HOST\), Store\.Port/,
    );
  });

  test("a server without TLS when TLS is asked for, and a file that can't be read", async () => {
    const tls = { mode: "require", caFile: "", certFile: "", keyFile: "" } as const;
    expect(await refusal(options({ tls }))).toMatch(/^DatabaseUnusable: no PostgreSQL answers .* SSL.*TLS settings$/);
    expect(await refusal(options({ tls: { ...tls, caFile: "/nowhere/ca.pem" } }))).toBe(
      "DatabaseUnusable: Store.TlsCaFile (STORE_TLS_CA_FILE) names /nowhere/ca.pem, which can't be read: ENOENT",
    );
  });

  test("a schema of a newer release, and one that was applied in another form", async () => {
    expect(await refusal(options({ schema: "newer" }))).toBe("opened");
    await inDatabase((client) => client.query("INSERT INTO newer.dtm_migration VALUES (99, 'future', 'x', now())"));
    expect(await refusal(options({ schema: "newer" }))).toMatch(
      /^MigrationRefused: the database has schema version 99 \(future\), this server knows/,
    );
    await inDatabase((client) =>
      client.query("DELETE FROM newer.dtm_migration WHERE version = 99; UPDATE newer.dtm_migration SET checksum = 'y'"),
    );
    expect(await refusal(options({ schema: "newer" }))).toMatch(/^MigrationRefused: schema version 1 .* in another form/);
  });

  test("a migration that breaks off leaves nothing, and the next start makes it whole", async () => {
    // A view in the way of the second table: what was made before it is undone.
    await inDatabase((client) => client.query("CREATE SCHEMA broken; CREATE VIEW broken.trans_branch_op AS SELECT 1 AS x"));
    expect(await refusal(options({ schema: "broken" }))).toMatch(/^DatabaseUnusable: .* schema broken: .* \(\w{5}\)$/);
    const tables = await inDatabase((client) => client.query("SELECT 1 FROM pg_tables WHERE schemaname = 'broken'"));
    expect(tables.rowCount).toBe(0);
    await inDatabase((client) => client.query("DROP VIEW broken.trans_branch_op"));
    expect(await refusal(options({ schema: "broken" }))).toBe("opened");
  });

  test("a start that loses a deadlock to whoever is at work goes on", async () => {
    const own = options({ schema: "contended" });
    expect(await refusal(own)).toBe("opened");
    await inDatabase(async (atWork) => {
      await atWork.query("SET search_path TO contended");
      await atWork.query(
        `INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, owner)
         VALUES ('first', 'saga', 'submitted', '', 'http', 'of-dtm'), ('second', 'saga', 'submitted', '', 'http', 'of-dtm')`,
      );
      await atWork.query("BEGIN");
      await atWork.query("UPDATE trans_global SET result = 'x' WHERE gid = 'second'");
      const starting = refusal(own);
      await until("the start waits for a lock", async () => {
        const waiting = await inDatabase((client) =>
          client.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"),
        );
        return waiting.rows.length > 0 ? true : undefined;
      });
      // Of two that wait for each other the server ends the one that has waited for a second.
      await atWork.query("UPDATE trans_global SET result = 'x' WHERE gid = 'first'");
      await atWork.query("COMMIT");
      expect(await starting).toBe("opened");
      expect((await atWork.query("SELECT gid FROM trans_global WHERE owner <> ''")).rows).toEqual([]);
    });
  });

  test("several servers that start at once migrate once", async () => {
    const started = await Promise.all(Array.from({ length: 4 }, () => refusal(options({ schema: "many at-once" }))));
    expect(started).toEqual(["opened", "opened", "opened", "opened"]);
    const { rows } = await inDatabase((client) => client.query('SELECT version FROM "many at-once".dtm_migration'));
    expect(rows).toEqual(MIGRATIONS.map(({ version }) => ({ version })));
  });

  test("schemas keep their data apart", async () => {
    const [one, other] = ["one", "other"].map((schema) => openPostgres(options({ schema })));
    await one?.open();
    await other?.open();
    const given = saga();
    await one?.create(given);
    expect(await one?.find(given.transaction.gid)).not.toBeNull();
    expect(await other?.find(given.transaction.gid)).toBeNull();
    await one?.close();
    await other?.close();
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
