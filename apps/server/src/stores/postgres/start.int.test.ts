/** What keeps the store from opening: one line each, which names the setting and what to do. */
import { createServer } from "node:net";
import type pg from "pg";
import { until } from "../../../test/e2e/kit/until.js";
import {
  inPostgres,
  PGBOUNCER,
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
      /^DatabaseUnusable: the user .* lacks a right in schema public of dtm_\w+: permission denied for schema public; grant it, or set Store\.User/,
    );
    await inDatabase((client) => client.query(`DROP ROLE ${user}`));
  });

  test("a user that may not read or write the tables, which are there", async () => {
    const own = options({ schema: "guarded" });
    expect(await refusal(own)).toBe("opened");
    const user = `dtm_guarded_${database.name.slice(4)}`;
    await inDatabase((client) =>
      client.query(`CREATE ROLE ${user} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA guarded TO ${user}`),
    );
    const line =
      /^DatabaseUnusable: the user .* lacks a right in schema guarded of .*: permission denied for table \w+; grant it, or set/;
    for (const autoMigrate of [true, false]) expect(await refusal({ ...own, user, password: "x", autoMigrate })).toMatch(line);
    await inDatabase((client) => client.query(`GRANT ALL ON ALL TABLES IN SCHEMA guarded TO ${user}`));
    expect(await refusal({ ...own, user, password: "x" })).toBe("opened");
    await inDatabase((client) => client.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`));
  });

  test("a user, or a database, that only reads unless it is told otherwise", async () => {
    const { name, drop } = await postgresDatabase();
    await inPostgres((client) => client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`));
    // A migration says that it writes; what comes behind it does not.
    expect(await refusal(postgresAddress(name))).toMatch(
      /^DatabaseUnusable: PostgreSQL at .*, database dtm_\w+, takes no writes: cannot execute .* in a read-only transaction; name the primary \(Store\.Host, STORE_HOST\), or turn off default_transaction_read_only for user \w+ or the database$/,
    );
    await drop();
  });

  test("a schema's name that PostgreSQL keeps for itself", async () => {
    expect(await refusal(options({ schema: "pg_dtm" }))).toMatch(
      /^DatabaseUnusable: PostgreSQL at .* refuses the schema pg_dtm: unacceptable schema name "pg_dtm".*; set Store\.Schema \(STORE_SCHEMA\) to a name that doesn't begin with pg_$/,
    );
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

  test.each(["a$$b", "$1 and $$", "$&", "$dtm$"])("a schema named %s", async (schema) => {
    const store = openPostgres(options({ schema }));
    await store.open();
    const given = saga();
    await store.create(given);
    expect((await store.find(given.transaction.gid))?.branches).toHaveLength(given.branches.length);
    await store.close();
    const made = await inDatabase((client) =>
      client.query("SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'trans_global'", [schema]),
    );
    expect(made.rowCount).toBe(1);
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

withServer(PGBOUNCER, () => {
  test("a database that the pooler doesn't know", async () => {
    const store = openPostgres({ ...postgresAddress("nowhere_at_all"), ...PGBOUNCER.address });
    await expect(store.open()).rejects.toThrow(
      /^the database nowhere_at_all does not exist at .*: create it, or set Store\.Db \(STORE_DB\)$/,
    );
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
