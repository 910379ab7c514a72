/** The start on a PostgreSQL database: is it one that we can use, is its schema current, and what was left in it. */
import { types } from "node:util";
import type pg from "pg";
import { type Migration, MigrationRefused, migrate, requireCurrent } from "../migrate.js";
import { type Preparation, requireAdopted, tellAdopted } from "../relational/adopted.js";
import { contended } from "../relational/contended.js";
import { messageOf } from "../relational/database.js";
import { DatabaseUnusable } from "../relational/errors.js";
import { type Limits, NO_LIMITS } from "../relational/texts.js";
import { tlsTrouble } from "../relational/tls.js";
import { Connection, leave, NoAnswer } from "./connection.js";
import { codeOf, troubleOf } from "./errors.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import type { Pool, PostgresAddress } from "./pool.js";
import { schemaOf } from "./schema.js";
import { adopt } from "./sql/adopt.js";
import { adoptedIds, adoptedUpTo } from "./sql/adopted.js";
import { forgetOldLanes } from "./sql/lanes.js";
import { forgetNodes } from "./sql/nodes.js";

const LEAST_VERSION = 130_000;

export function prepareDatabase(pool: Pool, address: PostgresAddress, { autoMigrate, log }: Preparation): Promise<Limits> {
  return onServer(pool, address, async (client) => {
    if (autoMigrate) await migrateDatabase(client, pool);
    else requireCurrent(await schemaOf(client, pool.tables), MIGRATIONS);
    const db = new Connection(client, pool.tables);
    const beside = (work: (on: Connection) => Promise<void>): Promise<void> =>
      contended(
        () => work(db),
        (cause) => troubleOf(cause, db.broken),
      );
    requireAdopted(await adoptedIds(db));
    await beside((on) => adopt(on));
    tellAdopted(log, await adoptedUpTo(db));
    await beside(forgetNodes);
    await beside(forgetOldLanes);
    return NO_LIMITS;
  });
}

export function migrateDatabase(client: pg.Client, { tables }: Pool): Promise<readonly Migration[]> {
  return migrate(migrationTarget(client, tables), MIGRATIONS);
}

/** One connection to a server that can be used; what goes wrong becomes one line. */
export async function onServer<T>(pool: Pool, address: PostgresAddress, work: (client: pg.Client) => Promise<T>): Promise<T> {
  let client: pg.Client | null = null;
  try {
    client = await pool.dedicated();
    await checkServer(new Connection(client, pool.tables), address);
    return await work(client);
  } catch (cause) {
    throw explained(cause, address);
  } finally {
    if (client !== null) await leave(client);
  }
}

async function checkServer(db: Connection, { host, port, database }: PostgresAddress): Promise<void> {
  const [[version, encoding, standby] = []] = await db.rows(
    "SELECT current_setting('server_version_num'), current_setting('server_encoding'), pg_is_in_recovery()",
    [],
  );
  if (Number(version) < LEAST_VERSION)
    throw new DatabaseUnusable(
      `PostgreSQL at ${host}:${port} is version ${Math.floor(Number(version) / 10_000)}: 13 or newer is needed`,
    );
  if (encoding !== "UTF8")
    throw new DatabaseUnusable(
      `the database ${database} is encoded in ${encoding}: make one with ENCODING 'UTF8' (Store.Db, STORE_DB)`,
    );
  if (standby === true)
    throw new DatabaseUnusable(
      `PostgreSQL at ${host}:${port} is a standby and takes no writes: name the primary (Store.Host, STORE_HOST)`,
    );
}

export function explained(cause: unknown, { host, port, user, database, schema }: PostgresAddress): unknown {
  if (cause instanceof DatabaseUnusable || cause instanceof MigrationRefused) return cause;
  const line = (text: string): DatabaseUnusable => new DatabaseUnusable(text, { cause });
  if (cause instanceof NoAnswer)
    return line(
      `PostgreSQL at ${host}:${port}, database ${database}, schema ${schema}: ${messageOf(cause)}; look what it waits for or works on (pg_stat_activity), then start again`,
    );
  const refusedUser = `PostgreSQL at ${host}:${port} refused the user ${user}: ${messageOf(cause)}; check Store.User (STORE_USER) and Store.Password (STORE_PASSWORD)`;
  const noDatabase = `the database ${database} does not exist at ${host}:${port}: create it, or set Store.Db (STORE_DB)`;
  const code = codeOf(cause);
  const other = `PostgreSQL at ${host}:${port}, database ${database}, schema ${schema}: ${messageOf(cause)} (${code})`;
  switch (code) {
    case "28P01":
      return line(refusedUser);
    case "28000":
      return line(refusedWithoutTls(cause, `PostgreSQL at ${host}:${port} refused the user ${user}`) ?? refusedUser);
    case "3D000":
      return line(noDatabase);
    case "08P01":
      return line(isOfPooler(cause) ? noDatabase : other);
    case "25006":
      return line(
        `PostgreSQL at ${host}:${port}, database ${database}, takes no writes: ${messageOf(cause)}; name the primary (Store.Host, STORE_HOST), or turn off default_transaction_read_only for user ${user} or the database`,
      );
    case "42939":
      return line(
        `PostgreSQL at ${host}:${port} refuses the schema ${schema}: ${messageOf(cause)}; set Store.Schema (STORE_SCHEMA) to a name that doesn't begin with pg_`,
      );
    case "42501":
      return line(
        `the user ${user} lacks a right in schema ${schema} of ${database}: ${messageOf(cause)}; grant it, or set Store.User (STORE_USER) or Store.Schema (STORE_SCHEMA)`,
      );
    case "53300":
      return line(`PostgreSQL at ${host}:${port} has no connection left: raise its max_connections, or stop what holds them`);
    case null:
      if (isOfPassword(cause)) return line(refusedUser);
      return types.isNativeError(cause) && cause.name !== "TypeError"
        ? line(
            tlsTrouble(`PostgreSQL at ${host}:${port}`, reason(cause)) ??
              `no PostgreSQL answers at ${host}:${port}: ${reason(cause)}; check Store.Host (STORE_HOST), Store.Port (STORE_PORT) and the TLS settings`,
          )
        : cause;
    default:
      return line(other);
  }
}

/** The words of pg_hba.conf, which may want TLS or a certificate of this user. */
function refusedWithoutTls(cause: unknown, refused: string): string | null {
  const why = messageOf(cause);
  if (/client certificate/.test(why))
    return `${refused}: ${why}; check Store.TlsCertFile (STORE_TLS_CERT_FILE) and Store.TlsKeyFile (STORE_TLS_KEY_FILE)`;
  return /no encryption|SSL off/.test(why)
    ? `${refused}: ${why}; set Store.TlsMode (STORE_TLS_MODE) to require, or to verify-full, if a rule for TLS (hostssl) lets this user in, else check Store.User (STORE_USER) and Store.Db (STORE_DB)`
    : null;
}

/** PgBouncer's words about a database that it, or the server behind it, doesn't know. */
function isOfPooler(cause: unknown): boolean {
  return /^database ".*" does not exist$|^no such database/.test(messageOf(cause));
}

/** The driver's own words, when a password is missing or the server's proof isn't that of somebody who knows it. */
function isOfPassword(cause: unknown): boolean {
  return types.isNativeError(cause) && cause.message.startsWith("SASL");
}

function reason(cause: Error): string {
  return messageOf(cause).split("\n", 1)[0] ?? "";
}
