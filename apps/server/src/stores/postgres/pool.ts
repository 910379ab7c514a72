/** How connections are made: one for the lane, for everything else a small pool; never more than the setting allows. */
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import pg from "pg";
import { PATIENCE_MS } from "../relational/line.js";
import { readTlsFiles, type Tls } from "../relational/tls.js";
import { cut, TYPES } from "./connection.js";
import { type Tables, tablesIn } from "./tables.js";

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly schema: string;
  readonly tls: Tls;
  /** How long one waits for a database that just went away. Default: 5 s (R7). */
  readonly patienceMs?: number;
}

/** Reads are short: more of them at once than the server has cores only wait there instead of here. */
const READERS = 16;
const IDLE_MS = 30_000;
/**
 * When the system begins to ask whether the other side is still there. Without it that is after two hours of silence, and what waits without a
 * limit, as a migration's own SQL does, would wait as long for a machine that is gone.
 */
const KEEP_ALIVE_MS = 10_000;

export class Pool {
  readonly tables: Tables;
  readonly #config: pg.ClientConfig;
  readonly #pool: pg.Pool;
  readonly patienceMs: number;
  #ended = false;

  constructor(address: PostgresAddress, maxReaders: number) {
    this.tables = tablesIn(address.schema);
    this.patienceMs = address.patienceMs ?? PATIENCE_MS;
    this.#config = {
      host: address.host,
      port: address.port,
      user: address.user,
      password: passwordOf(address),
      database: address.database,
      ssl: sslOf(address.tls),
      types: TYPES,
      connectionTimeoutMillis: this.patienceMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      application_name: "dtm",
    };
    const max = Math.max(1, Math.min(READERS, maxReaders));
    this.#pool = new pg.Pool({ ...this.#config, max, idleTimeoutMillis: IDLE_MS, allowExitOnIdle: true });
    // An idle connection that ends is replaced when it is needed.
    this.#pool.on("error", () => undefined);
    // The pool stops listening when it hands one out, and whoever waits for it begins a turn later: a server that says good-bye in
    // between would end the process.
    this.#pool.on("connect", (client) => void client.on("error", () => undefined));
  }

  connect(): Promise<pg.PoolClient> {
    return this.#pool.connect();
  }

  /** A connection of one's own, outside of the pool; what isn't waited for is sent nevertheless. */
  dedicated(): Promise<pg.Client> {
    return this.dedicatedTo(async (client) => client);
  }

  /**
   * What `first` makes of one. A server that greets and is silent when `first` asks is left after the patience, or each try would leave a connection
   * behind.
   */
  async dedicatedTo<T>(first: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ ...this.#config, pipeline: true });
    client.on("error", () => undefined);
    const late = setTimeout(() => cut(client), this.patienceMs);
    try {
      await client.connect();
      return await first(client);
    } catch (cause) {
      // After an answer that it doesn't like the driver leaves the socket open.
      cut(client);
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

/** An empty text would make the driver look for another one, in PGPASSWORD and in .pgpass. */
function passwordOf({ password }: PostgresAddress): string | (() => string) {
  return password === "" ? () => "" : password;
}

function sslOf(tls: Tls): ConnectionOptions | false {
  if (tls.mode === "disable") return false;
  return {
    rejectUnauthorized: tls.mode !== "require",
    checkServerIdentity: tls.mode === "verify-full" ? checkServerIdentity : () => undefined,
    ...readTlsFiles(tls),
  };
}
