/** How connections are made: one for the lane, for everything else a small pool; never more than the setting allows. */
import { isIP } from "node:net";
import { createConnection } from "mysql2";
import mysql, { type ConnectionOptions, type PoolConnection, type SslOptions } from "mysql2/promise";
import { DatabaseUnusable } from "../relational/errors.js";
import { PATIENCE_MS } from "../relational/line.js";
import { readTlsFiles, type Tls } from "../relational/tls.js";
import { cut } from "./connection.js";
import { Zone } from "./zone.js";

export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: Tls;
  /** How long one waits for a database that just went away. Default: 5 s (R7). */
  readonly patienceMs?: number;
  /** Hours east of Greenwich of the times in the tables; null: this process's own zone (R19). */
  readonly zoneHours: number | null;
}

/** Reads are short: more of them at once than the server has cores only wait there instead of here. */
const READERS = 16;
const IDLE_MS = 30_000;
/**
 * When the system begins to ask whether the other side is still there. Without it that is after two hours of silence, and what waits without a
 * limit, as a migration's own SQL does, would wait as long for a machine that is gone.
 */
const KEEP_ALIVE_MS = 10_000;

/**
 * Whatever the server's defaults are: nothing is cut off silently, neither a text nor the rows of an answer, a quote is escaped as the driver
 * does it, and rows are as committed.
 */
const SETTINGS = [
  `SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', SESSION autocommit = 1,
    SESSION sql_select_limit = 18446744073709551615, SESSION sql_safe_updates = 0, SESSION sql_big_selects = 1`,
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
];

export class Pool {
  readonly zone: Zone;
  readonly #config: ConnectionOptions;
  readonly #pool: mysql.Pool;
  readonly patienceMs: number;
  #ended = false;

  constructor(address: MysqlAddress, maxReaders: number) {
    this.zone = new Zone(address.zoneHours);
    this.patienceMs = address.patienceMs ?? PATIENCE_MS;
    const ssl = sslOf(address);
    this.#config = {
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database: address.database,
      ...(ssl === null ? {} : { ssl }),
      charset: "UTF8MB4_BIN",
      connectTimeout: this.patienceMs,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      dateStrings: true,
      decimalNumbers: true,
      supportBigNumbers: true,
      // Rows that an update finds, not those whose values differ.
      flags: ["FOUND_ROWS"],
    };
    const connectionLimit = Math.max(1, Math.min(READERS, maxReaders));
    this.#pool = mysql.createPool({ ...this.#config, connectionLimit, idleTimeout: IDLE_MS, maxIdle: 2 });
    // Queued in front of whatever the connection is wanted for.
    this.#pool.pool.on("connection", (connection) => {
      connection.on("error", () => undefined);
      for (const sql of SETTINGS) connection.query(sql);
    });
  }

  /** The driver would wait for ever for one that is free; who comes too late for it goes without. */
  connect(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(new Error(`no connection became free for ${this.patienceMs / 1000} s`));
      }, this.patienceMs);
      const given = (connection: PoolConnection): void => {
        // After the rejection nobody else would give it back.
        if (isLate) connection.release();
        else resolve(connection);
      };
      this.#pool
        .getConnection()
        .then(given, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  /** A connection of one's own, outside of the pool. */
  dedicated(): Promise<mysql.Connection> {
    return this.dedicatedTo(async (connection) => connection);
  }

  /**
   * What `first` makes of one. A server that greets and then is silent is left after the patience, or each try would leave a connection behind.
   */
  async dedicatedTo<T>(first: (connection: mysql.Connection) => Promise<T>): Promise<T> {
    // A lane's statements that nobody waits for travel together; every value in them is escaped by the driver (connection.ts).
    const core = createConnection({ ...this.#config, multipleStatements: true });
    core.on("error", () => undefined);
    const connection = core.promise();
    const late = setTimeout(() => cut(connection), this.patienceMs);
    try {
      // Wait for the greeting, and fail as it does.
      for (const sql of SETTINGS) await connection.query(sql);
      return await first(connection);
    } catch (cause) {
      cut(connection);
      throw cause;
    } finally {
      clearTimeout(late);
    }
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#pool.end();
  }
}

function sslOf({ tls, host }: MysqlAddress): SslOptions | null {
  if (tls.mode === "disable") return null;
  // The driver would take any certificate for localhost for the address's own.
  if (tls.mode === "verify-full" && isIP(host) !== 0)
    throw new DatabaseUnusable(
      `Store.Host (STORE_HOST) is an address, ${host}, and of a MySQL server only a name can be verified: name it as its certificate does, or set Store.TlsMode (STORE_TLS_MODE) to verify-ca`,
    );
  return { rejectUnauthorized: tls.mode !== "require", verifyIdentity: tls.mode === "verify-full", ...readTlsFiles(tls) };
}
