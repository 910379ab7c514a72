/** The stores that a coordinator can die over: how one of its own is made for a round, and what the dead left in it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isFinal } from "../../../src/engine/transaction.js";
import { openMysql } from "../../../src/stores/mysql/store.js";
import { openPostgres } from "../../../src/stores/postgres/store.js";
import { Keys } from "../../../src/stores/redis/keys.js";
import { openRedis } from "../../../src/stores/redis/store.js";
import { Database } from "../../../src/stores/sqlite/database.js";
import type { Store } from "../../../src/stores/store.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../kit/temporary-mysql.js";
import { inPostgres, POSTGRES, postgresAddress, postgresDatabase, type TemporaryDatabase } from "../../kit/temporary-postgres.js";
import { onMasters, REDIS, REDIS_CLUSTER, type RedisServer, redisOptions, removePrefix } from "../../kit/temporary-redis.js";
import type { Server } from "../../kit/with-server.js";

/** Unfinished transactions, and how many of these somebody was driving. */
export interface Left {
  readonly leftBehind: number;
  readonly inHand: number;
}

export interface Place {
  /** The settings that lead a coordinator there. */
  readonly env: Readonly<Record<string, string>>;
  left(): Promise<Left>;
  /** When it noted each epoch as dead, on its own clock, in milliseconds since 1970 (R2). */
  deaths(): Promise<ReadonlyMap<string, number>>;
  drop(): Promise<void>;
}

export interface CrashStore {
  readonly name: string;
  /** Null: it needs none. */
  readonly server: Server | null;
  place(dataDir: string): Promise<Place>;
}

export const STORES: readonly CrashStore[] = [
  { name: "sqlite", server: null, place: sqlite },
  { name: "postgres", server: POSTGRES, place: postgres },
  { name: "mysql", server: MYSQL, place: mysql },
  { name: "redis", server: REDIS, place: () => redis(REDIS) },
  { name: "redis cluster", server: REDIS_CLUSTER, place: () => redis(REDIS_CLUSTER) },
];

/** Read from the file itself: opening the store would tidy up. */
async function sqlite(dataDir: string): Promise<Place> {
  return {
    env: { STORE_DRIVER: "sqlite" },
    async left() {
      const file = join(dataDir, "dtm.db");
      if (!existsSync(file)) return { leftBehind: 0, inHand: 0 };
      const db = new Database(file, { busyMs: 5_000 });
      const row = db.get(
        "SELECT count(*), count(nullif(owner, '')) FROM trans_global WHERE status NOT IN ('succeed', 'failed')",
        [],
      );
      db.close();
      return { leftBehind: Number(row?.[0]), inHand: Number(row?.[1]) };
    },
    deaths: async () => new Map(),
    async drop() {},
  };
}

async function postgres(): Promise<Place> {
  const database = await postgresDatabase();
  const address = postgresAddress(database.name);
  return sql("postgres", database, {
    ...address,
    open: () => openPostgres(address),
    async deaths() {
      const asked = "SELECT epoch, extract(epoch FROM dead_at) * 1000 AS at FROM dtm_node WHERE dead_at IS NOT NULL";
      return (await inPostgres((client) => client.query<Death>(asked), database.name)).rows;
    },
  });
}

async function mysql(): Promise<Place> {
  const database = await mysqlDatabase();
  const address = mysqlAddress(database.name);
  // The server writes its times in the process's zone unless it is told otherwise (R19).
  return sql("mysql", database, {
    ...address,
    open: () => openMysql(address),
    async deaths() {
      const at = "timestampdiff(MICROSECOND, '1970-01-01', dead_at) / 1000 AS at";
      const asked = `SELECT epoch, ${at} FROM dtm_node WHERE dead_at IS NOT NULL`;
      const [rows] = await inMysql((connection) => connection.query(asked), database.name);
      return rows as Death[];
    },
  });
}

/** As the database's driver gives it. */
interface Death {
  readonly epoch: string;
  readonly at: number | string;
}

function sql(
  driver: string,
  database: TemporaryDatabase,
  {
    host,
    port,
    user,
    password,
    open,
    deaths,
  }: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly open: () => Store;
    readonly deaths: () => Promise<readonly Death[]>;
  },
): Place {
  return {
    env: {
      STORE_DRIVER: driver,
      STORE_HOST: host,
      STORE_PORT: String(port),
      STORE_USER: user,
      STORE_PASSWORD: password,
      STORE_DB: database.name,
      TIME_ZONE_OFFSET: "0",
    },
    left: () => leftIn(open()),
    deaths: async () => new Map((await deaths()).map(({ epoch, at }) => [epoch, Number(at)])),
    drop: () => database.drop(),
  };
}

async function redis(server: RedisServer): Promise<Place> {
  const options = redisOptions(server);
  return {
    env: {
      STORE_DRIVER: "redis",
      STORE_HOST: options.hosts.map(({ host, port }) => `${host}:${port}`).join(","),
      STORE_USER: options.user,
      STORE_PASSWORD: options.password,
      STORE_KEY_PREFIX: options.prefix,
    },
    left: () => leftIn(openRedis(options)),
    async deaths() {
      const key = new Keys(options.prefix).of("nodes", "dead");
      const [first = []] = await onMasters(server, (redis) => redis.zrange(key, 0, -1, "WITHSCORES"));
      return new Map(first.flatMap((epoch, place) => (place % 2 === 0 ? [[epoch, Number(first[place + 1])] as const] : [])));
    },
    drop: () => removePrefix(server, options.prefix),
  };
}

async function leftIn(store: Store): Promise<Left> {
  await store.open();
  try {
    let leftBehind = 0;
    let inHand = 0;
    let position = "";
    do {
      const page = await store.list({ limit: 1_000, position });
      for (const { status, owner } of page.transactions) {
        if (isFinal(status)) continue;
        leftBehind++;
        if (owner !== "") inHand++;
      }
      position = page.nextPosition;
    } while (position !== "");
    return { leftBehind, inHand };
  } finally {
    await store.close();
  }
}
