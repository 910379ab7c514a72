/** PostgreSQL stores in databases of their own, on the server that DTM_TEST_POSTGRES names. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import type { Opened } from "../../src/stores/contract/contract.js";
import type { PostgresOptions } from "../../src/stores/postgres/store.js";
import { openPostgres } from "../../src/stores/postgres/store.js";
import type { Store } from "../../src/stores/store.js";

const URL_GIVEN = process.env["DTM_TEST_POSTGRES"] ?? "";

export const POSTGRES = { name: "PostgreSQL", variable: "DTM_TEST_POSTGRES", present: URL_GIVEN !== "" };

const POOLER_GIVEN = process.env["DTM_TEST_PGBOUNCER"] ?? "";

/** A pooler in transaction mode, in front of that server. */
export const PGBOUNCER = {
  name: "PgBouncer",
  variable: "DTM_TEST_PGBOUNCER",
  present: POOLER_GIVEN !== "",
  get address() {
    const { hostname, port } = new URL(POOLER_GIVEN);
    return { host: hostname, port: Number(port) };
  },
};

export function postgresAddress(database?: string): PostgresOptions {
  const url = new URL(URL_GIVEN);
  return {
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: database ?? url.pathname.slice(1),
    schema: "public",
    tls: { mode: "disable", caFile: "", certFile: "", keyFile: "" },
    maxConnections: 8,
  };
}

/** As the server's administrator, or in one of its databases. */
export async function postgresClient(database?: string): Promise<pg.Client> {
  const { host, port, user, password, database: own } = postgresAddress(database);
  const client = new pg.Client({ host, port, user, password, database: own });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

export async function inPostgres<T>(work: (client: pg.Client) => Promise<T>, database?: string): Promise<T> {
  const client = await postgresClient(database);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export interface TemporaryDatabase {
  readonly name: string;
  drop(): Promise<void>;
}

export async function postgresDatabase(): Promise<TemporaryDatabase> {
  const name = `dtm_${randomBytes(6).toString("hex")}`;
  await inPostgres((client) => client.query(`CREATE DATABASE ${name}`));
  return {
    name,
    async drop() {
      await inPostgres((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

export async function openTemporaryPostgres(overrides: Partial<PostgresOptions> = {}): Promise<Opened & { database: string }> {
  const database = await postgresDatabase();
  const open = async (): Promise<Store> => {
    const opened = openPostgres({ ...postgresAddress(database.name), ...overrides });
    await opened.open();
    return opened;
  };
  let store = await open();
  return {
    store,
    database: database.name,
    async clear() {
      await inPostgres((client) => client.query("TRUNCATE trans_global, trans_branch_op, kv, dtm_node, dtm_lane"), database.name);
    },
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async dispose() {
      await store.close();
      await database.drop();
    },
  };
}
