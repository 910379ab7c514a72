import type { Socket } from "node:net";
import { buildConnector, Client, type Dispatcher, Pool } from "undici";
import { checkedLookup, type Egress } from "./egress.js";
import { IdleCache } from "./idle-cache.js";

/** Told which connection carries it: undici's own handler interface doesn't say. */
export interface Carried {
  carriedBy(connection: Connection): void;
}

export interface CarriedOptions extends Dispatcher.DispatchOptions {
  readonly attempt: Carried;
}

export interface Connection {
  readonly socket: Socket | null;
}

/** One connection of a pool that can say how much its socket has read, which is how a reused one is known (R20). */
class TrackedClient extends Client {
  readonly #connection: Connection;

  constructor(origin: string | URL, options: Client.Options, connect: buildConnector.connector) {
    const connection: { socket: Socket | null } = { socket: null };
    super(origin, {
      ...options,
      connect: (to, callback) =>
        connect(to, (...result) => {
          connection.socket = result[1];
          callback(...result);
        }),
    });
    this.#connection = connection;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if ("attempt" in options) (options as CarriedOptions).attempt.carriedBy(this.#connection);
    return super.dispatch(options, handler);
  }
}

export interface HttpPoolSettings {
  readonly egress: Egress;
  /** A high ceiling only: what limits calls is their destination (R12). */
  readonly socketsPerOrigin: number;
  readonly connectTimeoutMs: number;
  readonly originsBound: number;
  readonly sweepMs: number;
}

/** Keep-alive connections by origin. */
export class HttpPools {
  readonly #settings: HttpPoolSettings;
  readonly #connect: buildConnector.connector;
  readonly #pools: IdleCache<Pool>;

  constructor(settings: HttpPoolSettings) {
    this.#settings = settings;
    // The types want a port, which undici adds for each connection itself.
    this.#connect = buildConnector({
      timeout: settings.connectTimeoutMs,
      autoSelectFamilyAttemptTimeout: ADDRESS_MS,
      lookup: checkedLookup(settings.egress),
    } as buildConnector.BuildOptions);
    this.#pools = new IdleCache<Pool>({
      open: (origin) => this.#open(origin),
      isBusy: (pool) => pool.stats.size > 0,
      close: (pool) => void pool.destroy(),
      bound: settings.originsBound,
      sweepMs: settings.sweepMs,
    });
  }

  get size(): number {
    return this.#pools.size;
  }

  of(origin: string): Dispatcher {
    return this.#pools.get(origin);
  }

  /** One connection for one call; a pool may still hold others that the same restart has cut. */
  fresh(origin: string): Dispatcher {
    return new TrackedClient(origin, CLIENT_OPTIONS, this.#connect);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.close().map((pool) => pool.destroy()));
  }

  #open(origin: string): Pool {
    return new Pool(origin, {
      ...CLIENT_OPTIONS,
      connections: this.#settings.socketsPerOrigin,
      factory: (url) => new TrackedClient(url, CLIENT_OPTIONS, this.#connect),
    });
  }
}

/** How long one address of a name has before the next is tried, which ends it: the first SYN that is lost is sent again after a second. */
const ADDRESS_MS = 1_250;

/** undici's timeouts are off: one timer per call holds the deadline over connecting, redirects, head and body together. */
const CLIENT_OPTIONS: Client.Options = {
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: 1024 * 1024,
  // A service's own Keep-Alive hint counts when it is shorter; R20 repeats a call that met a closed connection all the same.
  keepAliveTimeout: 30_000,
};
