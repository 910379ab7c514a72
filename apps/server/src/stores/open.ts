/**
 * From settings to a store: the only file that knows all of them, and what can keep each from opening. Only the one that is asked for is
 * loaded: a driver costs start-up time and memory.
 */
import type { Config } from "../config/schema.js";
import { bare } from "../config/store-host.js";
import { toDockerHost } from "../docker-host.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";
import type { Flushed } from "./lane.js";
import { MigrationRefused, type Migrator } from "./migrate.js";
import { RedisUnusable } from "./redis/errors.js";
import { hostsFrom } from "./redis/hosts.js";
import { DatabaseUnusable as ServerUnusable } from "./relational/errors.js";
import { DatabaseUnusable, FolderInUse, FolderUnusable } from "./sqlite/errors.js";
import type { Store } from "./store.js";

/** How long a start or a migration says nothing. */
const SILENT_MS = 10_000;

export interface StoreParts {
  readonly log: Log;
  /** It can't go on, and neither can the process (R25). */
  readonly onFatal: (cause: Error) => void;
  readonly flushed: Flushed;
}

export async function openStore(config: Config, { log, onFatal, flushed }: StoreParts): Promise<Store> {
  const { Driver } = config.Store;
  try {
    switch (Driver) {
      case "sqlite": {
        const { openSqlite } = await import("./sqlite/store.js");
        return openSqlite({ folder: config.DataDir, log, onFatal, flushed, autoMigrate: config.AutoMigrate });
      }
      case "memory": {
        const { openMemory } = await import("./memory/store.js");
        return openMemory({ now: () => Date.now() });
      }
      case "postgres": {
        const { openPostgres } = await import("./postgres/store.js");
        return openPostgres({ ...postgresAddress(config), ...databaseUse(config), flushed, log });
      }
      case "mysql": {
        const { openMysql } = await import("./mysql/store.js");
        return openMysql({ ...mysqlAddress(config), ...databaseUse(config), flushed, log });
      }
      case "redis": {
        const { openRedis } = await import("./redis/store.js");
        return openRedis({ ...redisAddress(config), ...redisOptions(config), flushed, log });
      }
      case "boltdb":
      case "sqlserver":
        throw new StartError(`Store.Driver ${Driver} is none of ours: use sqlite`);
    }
  } catch (cause) {
    // Files that settings name are read before anything is opened.
    throw explainOpening(cause);
  }
}

/** Opens it and says which setting leads out of what keeps it from that. */
export async function opened(store: Store, log: Log): Promise<void> {
  try {
    await patiently(
      () => store.open(),
      (why) => log.info({}, `the store isn't open yet: ${why}`),
    );
  } catch (cause) {
    throw explainOpening(cause);
  }
}

/** What takes long is told, over and over: a large database migrates for minutes. */
export async function patiently<T>(work: () => Promise<T>, tell: (why: string) => void): Promise<T> {
  const telling = setInterval(() => {
    tell("its database migrates, another server migrates it, or it is slow to answer");
  }, SILENT_MS);
  try {
    return await work();
  } finally {
    clearInterval(telling);
  }
}

/** What `dtm migrate` works with; null: the store has no schema. */
export async function openMigrator(config: Config): Promise<Migrator | null> {
  const { Driver } = config.Store;
  switch (Driver) {
    case "sqlite": {
      const { sqliteMigrator } = await import("./sqlite/migrator.js");
      return sqliteMigrator(config.DataDir);
    }
    case "postgres": {
      const { postgresMigrator } = await import("./postgres/migrator.js");
      return postgresMigrator(postgresAddress(config));
    }
    case "mysql": {
      const { mysqlMigrator } = await import("./mysql/migrator.js");
      return mysqlMigrator(mysqlAddress(config));
    }
    case "memory":
    case "redis":
    case "boltdb":
    case "sqlserver":
      return null;
  }
}

function postgresAddress(config: Config) {
  return { ...databaseAddress(config), schema: config.Store.Schema };
}

function mysqlAddress(config: Config) {
  return { ...databaseAddress(config), zoneHours: zoneHours(config) };
}

function databaseUse({ Store, AutoMigrate }: Config) {
  return { maxConnections: Store.MaxOpenConns, autoMigrate: AutoMigrate };
}

function databaseAddress({ Store, IsDocker }: Config) {
  return {
    // As dtm does it, and not for Redis (protocol.md 3.2).
    host: bare(IsDocker === "" ? Store.Host : toDockerHost(Store.Host)),
    port: Store.Port,
    user: Store.User,
    password: Store.Password,
    database: Store.Db,
    tls: { mode: Store.TlsMode, caFile: Store.TlsCaFile, certFile: Store.TlsCertFile, keyFile: Store.TlsKeyFile },
  };
}

function redisAddress({ Store }: Config) {
  return {
    hosts: hostsFrom(Store.Host, Store.Port),
    sentinelMaster: Store.SentinelMaster,
    sentinelPassword: Store.SentinelPassword,
    user: Store.User,
    password: Store.Password,
    tls: { mode: Store.TlsMode, caFile: Store.TlsCaFile, certFile: Store.TlsCertFile, keyFile: Store.TlsKeyFile },
  };
}

function redisOptions({ Store }: Config) {
  return { prefix: Store.KeyPrefix, replicas: { count: Store.WaitReplicas, withinMs: Store.WaitReplicasMs } };
}

/** null: this process's own zone. */
function zoneHours({ TimeZoneOffset }: Config): number | null {
  return TimeZoneOffset === "" ? null : Number(TimeZoneOffset);
}

/** Says which setting leads out; what nobody foresaw stays as it is. */
export function explainOpening(cause: unknown): unknown {
  if (cause instanceof FolderInUse || cause instanceof FolderUnusable || cause instanceof DatabaseUnusable)
    return new StartError(`${cause.message} (DataDir, DATA_DIR)`, { cause });
  if (cause instanceof MigrationRefused || cause instanceof ServerUnusable || cause instanceof RedisUnusable)
    return new StartError(cause.message, { cause });
  return cause;
}
