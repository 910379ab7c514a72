/** The start on a MySQL or MariaDB database: is it one that we can use, is its schema current, and what was left in it. */
import { types } from "node:util";
import type { Connection as Driver } from "mysql2/promise";
import { type Migration, MigrationRefused, migrate, requireCurrent } from "../migrate.js";
import { type Preparation, requireAdopted, tellAdopted } from "../relational/adopted.js";
import { contended } from "../relational/contended.js";
import { messageOf } from "../relational/database.js";
import { DatabaseUnusable } from "../relational/errors.js";
import type { Limits } from "../relational/texts.js";
import { type Tls, tlsTrouble } from "../relational/tls.js";
import { Connection, leave, NoAnswer } from "./connection.js";
import { errnoOf, troubleOf } from "./errors.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { otherZone } from "./other-zone.js";
import type { MysqlAddress, Pool } from "./pool.js";
import { schemaOf } from "./schema.js";
import { adopt } from "./sql/adopt.js";
import { adoptedIds, adoptedUpTo } from "./sql/adopted.js";
import { forgetOldLanes } from "./sql/lanes.js";
import { lastDues } from "./sql/last-dues.js";
import { packetBytes, payloadBytes } from "./sql/limits.js";
import { newestUpdateOfDtm } from "./sql/newest-update.js";
import { forgetNodes } from "./sql/nodes.js";

/** One connection to a server that can be used, by the driver and as statements want it. */
export interface OnServer {
  readonly driver: Driver;
  readonly db: Connection;
}

export function prepareDatabase(pool: Pool, address: MysqlAddress, { autoMigrate, log }: Preparation): Promise<Limits> {
  return onServer(pool, address, async (server) => {
    const { db } = server;
    if (autoMigrate) await migrateDatabase(server, address);
    else {
      requireCurrent(await schemaOf(server.driver), MIGRATIONS);
      refuse(await zoneTrouble(db, address));
    }
    refuse(await otherZoneTrouble(db, address));
    const beside = (work: (on: Connection) => Promise<void>): Promise<void> =>
      contended(
        () => work(db),
        (cause) => troubleOf(cause, db.broken),
      );
    requireAdopted(await adoptedIds(db));
    await beside(adopt);
    tellAdopted(log, await adoptedUpTo(db));
    await beside(forgetNodes);
    await beside(forgetOldLanes);
    return { payload: await payloadBytes(db), packet: await packetBytes(db) };
  });
}

export async function migrateDatabase({ driver, db }: OnServer, address: MysqlAddress): Promise<readonly Migration[]> {
  refuse(await zoneTrouble(db, address));
  return migrate(migrationTarget(driver, address.database), MIGRATIONS);
}

function refuse(trouble: string | null): void {
  if (trouble !== null) throw new DatabaseUnusable(trouble);
}

/** What goes wrong becomes one line. */
export async function onServer<T>(pool: Pool, address: MysqlAddress, work: (server: OnServer) => Promise<T>): Promise<T> {
  let driver: Driver | null = null;
  try {
    driver = await pool.dedicated();
    const db = new Connection(driver, pool.zone);
    await checkServer(db, address);
    checkPacket(await packetBytes(db), address);
    return await work({ driver, db });
  } catch (cause) {
    throw explained(cause, address);
  } finally {
    if (driver !== null) await leave(driver);
  }
}

async function checkServer(db: Connection, { host, port }: MysqlAddress): Promise<void> {
  const [[told, readOnly] = []] = await db.rows("SELECT version(), @@global.read_only", []);
  const version = String(told ?? "");
  const [major = 0, minor = 0] = version.split(/[.-]/).map(Number);
  const isMariadb = /mariadb/i.test(version);
  const tooOld = isMariadb ? major < 10 || (major === 10 && minor < 6) : major < 8;
  if (tooOld)
    throw new DatabaseUnusable(`the server at ${host}:${port} is ${version}: MySQL 8 or MariaDB 10.6, or newer, is needed`);
  if (Number(readOnly ?? 0) > 0)
    throw new DatabaseUnusable(`the server at ${host}:${port} is read-only: name the primary (Store.Host, STORE_HOST)`);
}

/** A batch has a mebibyte and so has one payload (R7, R17), each byte written as two digits; what makes more is refused alone (texts.ts). */
const LEAST_PACKET = 4 * 1024 * 1024;

export function checkPacket(bytes: number, { host, port }: Pick<MysqlAddress, "host" | "port">): void {
  if (bytes >= LEAST_PACKET) return;
  throw new DatabaseUnusable(
    `the server at ${host}:${port} takes ${bytes} bytes at once: set its max_allowed_packet to ${LEAST_PACKET} or more`,
  );
}

const AHEAD_MS = 60_000;

/** Times without a zone, read in the wrong one, would make everything due hours too early or too late (R19). */
export async function zoneTrouble(db: Connection, { zoneHours }: MysqlAddress): Promise<string | null> {
  const newest = await newestUpdateOfDtm(db);
  if (newest === null || newest <= Date.now() + AHEAD_MS) return null;
  const zone = zoneHours === null ? "this process's zone" : utc(zoneHours);
  return `the newest update_time in trans_global, ${db.zone.toText(newest)} in ${zone}, is yet to come: set TimeZoneOffset (TIME_ZONE_OFFSET) to the hours of whoever wrote it`;
}

/** Where those aren't over for so long their times still matter, to an operator at least. */
const LATELY_MS = 86_400_000;

/** The same for what we wrote, in a schema that is current: a second node, or the next process, has another zone (R19). */
export async function otherZoneTrouble(db: Connection, { zoneHours }: MysqlAddress): Promise<string | null> {
  const now = Date.now();
  const written = otherZone(await lastDues(db, now - LATELY_MS), db.zone);
  if (written === null) return null;
  const hours = written / 3_600;
  const own = `${zoneHours === null ? "this process's zone, " : ""}${utc(db.zone.secondsEast(now) / 3_600)}`;
  // The setting has whole hours.
  const setting = Number.isInteger(hours) ? `TimeZoneOffset (TIME_ZONE_OFFSET) to ${signed(hours)}, or ` : "";
  return `the times in trans_global were written in ${utc(hours)}, and this server would read them in ${own}: set ${setting}TZ to the zone of whoever wrote them, without TimeZoneOffset (TIME_ZONE_OFFSET); all servers on one database must agree`;
}

function utc(hours: number): string {
  return `UTC${signed(hours)}`;
}

function signed(hours: number): string {
  return hours < 0 ? String(hours) : `+${hours}`;
}

/** An account that wants TLS, or a certificate, is refused in the same words as a wrong password. */
function unlessShown({ mode, certFile }: Tls): string {
  if (mode === "disable") return ", and Store.TlsMode (STORE_TLS_MODE) if it wants TLS";
  return certFile === "" ? ", and Store.TlsCertFile (STORE_TLS_CERT_FILE) if it wants a certificate" : "";
}

/** It wants TLS from everybody. */
const INSECURE = 3159;

export function explained(cause: unknown, { host, port, user, database, tls }: MysqlAddress): unknown {
  if (cause instanceof DatabaseUnusable || cause instanceof MigrationRefused) return cause;
  const line = (text: string): DatabaseUnusable => new DatabaseUnusable(text, { cause });
  if (cause instanceof NoAnswer)
    return line(
      `the server at ${host}:${port}, database ${database}: ${messageOf(cause)}; look what it waits for or works on (SHOW FULL PROCESSLIST), then start again`,
    );
  const errno = errnoOf(cause);
  switch (errno) {
    case 1045:
    case 1698:
      return line(
        `the server at ${host}:${port} refused the user ${user}: ${messageOf(cause)}; check Store.User (STORE_USER) and Store.Password (STORE_PASSWORD)${unlessShown(tls)}`,
      );
    case 1049:
      return line(`the database ${database} does not exist at ${host}:${port}: create it, or set Store.Db (STORE_DB)`);
    case 1044:
    case 1142:
    case 1143:
    case 1227:
    case 1370:
      return line(
        `the user ${user} lacks a right in ${database}: ${messageOf(cause)}; grant it, or set Store.User (STORE_USER) or Store.Db (STORE_DB)`,
      );
    case 1040:
      return line(`the server at ${host}:${port} has no connection left: raise its max_connections, or stop what holds them`);
    case INSECURE:
      return line(
        `the server at ${host}:${port} takes nothing without TLS: ${messageOf(cause)}; set Store.TlsMode (STORE_TLS_MODE) to require, or to verify-full`,
      );
    case null:
      return types.isNativeError(cause) && cause.name !== "TypeError"
        ? line(
            tlsTrouble(`the server at ${host}:${port}`, reason(cause)) ??
              `no MySQL or MariaDB answers at ${host}:${port}: ${reason(cause)}; check Store.Host (STORE_HOST), Store.Port (STORE_PORT) and the TLS settings`,
          )
        : cause;
    default:
      return line(`the server at ${host}:${port}, database ${database}: ${messageOf(cause)} (${errno})`);
  }
}

function reason(cause: Error): string {
  return messageOf(cause).split("\n", 1)[0] ?? "";
}
