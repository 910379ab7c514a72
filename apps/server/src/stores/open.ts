/** From settings to a store: the only file that knows all of them, and what can keep each from opening. */
import type { Config } from "../config/schema.js";
import { toDockerHost } from "../docker-host.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";
import type { Flushed } from "./lane.js";
import { openMemory } from "./memory/store.js";
import { MigrationRefused, type Migrator } from "./migrate.js";
import { mysqlMigrator } from "./mysql/migrator.js";
import { openMysql } from "./mysql/store.js";
import { postgresMigrator } from "./postgres/migrator.js";
import { openPostgres } from "./postgres/store.js";
import { hostsFrom } from "./redis/address.js";
import { RedisUnusable } from "./redis/errors.js";
import { openRedis } from "./redis/store.js";
import { DatabaseUnusable as ServerUnusable } from "./relational/errors.js";
import { DatabaseUnusable, FolderInUse, FolderUnusable } from "./sqlite/errors.js";
import { sqliteMigrator } from "./sqlite/migrator.js";
import { openSqlite } from "./sqlite/store.js";
import type { Store } from "./store.js";

export interface StoreParts {
  readonly log: Log;
  /** It can't go on, and neither can the process (R25). */
  readonly onFatal: (cause: Error) => void;
  readonly flushed: Flushed;
}

export function openStore(config: Config, { log, onFatal, flushed }: StoreParts): Store {
  const { Driver } = config.Store;
  switch (Driver) {
    case "sqlite":
      return openSqlite({ folder: config.DataDir, log, onFatal, flushed, autoMigrate: config.AutoMigrate });
    case "memory":
      return openMemory({ now: () => Date.now() });
    case "postgres":
      return explaining(() => openPostgres({ ...postgresAddress(config), ...databaseUse(config), flushed, log }));
    case "mysql":
      return explaining(() => openMysql({ ...mysqlAddress(config), ...databaseUse(config), flushed, log }));
    case "redis":
      return explaining(() => openRedis({ ...redisAddress(config), ...redisOptions(config), flushed }));
    case "boltdb":
    case "sqlserver":
      throw new StartError(`Store.Driver ${Driver} is none of ours: use sqlite`);
  }
}

/** What `dtm migrate` works with; null: the store has no schema. */
export function openMigrator(config: Config): Migrator | null {
  const { Driver } = config.Store;
  switch (Driver) {
    case "sqlite":
      return sqliteMigrator(config.DataDir);
    case "postgres":
      return postgresMigrator(postgresAddress(config));
    case "mysql":
      return mysqlMigrator(mysqlAddress(config));
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
    host: IsDocker === "" ? Store.Host : toDockerHost(Store.Host),
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

/** Files that settings name are read before anything is opened. */
function explaining(open: () => Store): Store {
  try {
    return open();
  } catch (cause) {
    throw explainOpening(cause);
  }
}

/** Says which setting leads out; what nobody foresaw stays as it is. */
export function explainOpening(cause: unknown): unknown {
  if (cause instanceof FolderInUse || cause instanceof FolderUnusable || cause instanceof DatabaseUnusable)
    return new StartError(`${cause.message} (DataDir, DATA_DIR)`, { cause });
  if (cause instanceof MigrationRefused || cause instanceof ServerUnusable || cause instanceof RedisUnusable)
    return new StartError(cause.message, { cause });
  return cause;
}
