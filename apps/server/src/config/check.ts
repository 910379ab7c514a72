/** What one setting can't know about another. dtm's texts are kept, since its users know and search for them (protocol.md 7.1). */
import { isLoopback } from "../loopback.js";
import { StartError } from "../service.js";
import { LEAST_CONNECTIONS } from "../stores/relational/connections.js";
import type { Config } from "./schema.js";
import { redisHostsTrouble, sqlHostTrouble } from "./store-host.js";

const LEAST_RETRY_INTERVAL = 10;
/** A late repeat of a gid that was removed would be a new transaction (R30). */
const LEAST_RETENTION_SECONDS = 86_400;

export function checkConfig(config: Config): void {
  if (config.RetryInterval < LEAST_RETRY_INTERVAL)
    throw new StartError(`RetryInterval should not be less than ${LEAST_RETRY_INTERVAL}`);
  if (config.TimeoutToFail < config.RetryInterval) throw new StartError("TimeoutToFail should not be less than RetryInterval");
  if (config.Retention > 0 && config.Retention < LEAST_RETENTION_SECONDS)
    throw new StartError(
      `Retention must be 0 or at least ${LEAST_RETENTION_SECONDS}, a day: a late repeat of a removed gid would run again`,
    );
  if (config.RetryMaxInterval < config.RetryInterval)
    throw new StartError("RetryMaxInterval should not be less than RetryInterval");
  checkStore(config);
  checkAccess(config);
  if ((config.Tls.CertFile === "") !== (config.Tls.KeyFile === ""))
    throw new StartError("Tls.CertFile and Tls.KeyFile need each other: set both or none");
  if (config.LeaseMs < 2 * config.HeartbeatMs + 1_000)
    throw new StartError("LeaseMs should not be less than two HeartbeatMs and one second");
  if (config.HttpPort === config.GrpcPort && config.HttpPort !== 0)
    throw new StartError(`HttpPort and GrpcPort are both ${config.HttpPort}: give each its own`);
}

function checkStore({ Store, DataDir, Workers }: Config): void {
  switch (Store.Driver) {
    case "sqlite":
      if (DataDir === "") throw new StartError("DataDir is empty: name the folder of the sqlite store");
      break;
    case "memory":
      break;
    case "mysql":
    case "postgres":
      if (Store.Host === "") throw new StartError("Db host not valid: set Store.Host (STORE_HOST)");
      checkHost(sqlHostTrouble(Store.Host));
      if (Store.Port === 0) throw new StartError("Db port not valid: set Store.Port (STORE_PORT)");
      if (Store.User === "") throw new StartError("Db user not valid: set Store.User (STORE_USER)");
      if (Store.Driver === "postgres" && Store.Schema === "")
        throw new StartError("Postgres schema not valid: set Store.Schema (STORE_SCHEMA)");
      if (!/^[\w$ -]{1,63}$/.test(Store.Schema))
        throw new StartError("Store.Schema (STORE_SCHEMA) is one name of letters, digits, _, $, - and spaces, not a list");
      if (Store.MaxOpenConns < LEAST_CONNECTIONS)
        throw new StartError(
          `Store.MaxOpenConns (STORE_MAX_OPEN_CONNS) is ${Store.MaxOpenConns}: ${LEAST_CONNECTIONS} are needed at least, for writing, reading and the heartbeat`,
        );
      checkStoreTls(Store);
      break;
    case "redis":
      if (Store.Host === "") throw new StartError("Redis host not valid: set Store.Host (STORE_HOST)");
      checkHost(redisHostsTrouble(Store.Host));
      if (Store.Port === 0 && !Store.Host.includes(":"))
        throw new StartError("Redis port not valid: set Store.Port (STORE_PORT)");
      checkRedis(Store);
      break;
    case "boltdb":
      throw new StartError("Store.Driver boltdb can't be read: drain dtm first, then use sqlite (R28)");
    case "sqlserver":
      throw new StartError("Store.Driver sqlserver is out of scope: use sqlite");
  }
  if (Workers > 1 && (Store.Driver === "sqlite" || Store.Driver === "memory"))
    throw new StartError(
      `Workers ${Workers} needs a store that can be shared: ${Store.Driver} has one server, set Workers to 1 (R25)`,
    );
}

function checkHost(trouble: string | null): void {
  if (trouble !== null) throw new StartError(`Store.Host (STORE_HOST) ${trouble}`);
}

function checkRedis(Store: Config["Store"]): void {
  if (!/^[\w.:-]{1,64}$/.test(Store.KeyPrefix))
    throw new StartError("Store.KeyPrefix (STORE_KEY_PREFIX) is made of up to 64 letters, digits, _, ., : and -, without braces");
  if (Store.FinishedDataExpire > 0 && Store.FinishedDataExpire < LEAST_RETENTION_SECONDS)
    throw new StartError(
      `Store.FinishedDataExpire must be 0 or at least ${LEAST_RETENTION_SECONDS}, a day: a late repeat of a removed gid would run again`,
    );
  checkStoreTls(Store);
}

function checkStoreTls(Store: Config["Store"]): void {
  if ((Store.TlsCertFile === "") !== (Store.TlsKeyFile === ""))
    throw new StartError("Store.TlsCertFile and Store.TlsKeyFile need each other: set both or none");
  const given = Store.TlsCaFile !== "" ? "Store.TlsCaFile (STORE_TLS_CA_FILE)" : "Store.TlsCertFile (STORE_TLS_CERT_FILE)";
  if (Store.TlsMode === "disable" && Store.TlsCaFile + Store.TlsCertFile !== "")
    throw new StartError(`${given} is set, and Store.TlsMode (STORE_TLS_MODE) is disable: say verify-full, or drop the file`);
}

/** R24: whoever can reach an open coordinator can make it call any URL. */
function checkAccess({ Host, AuthToken, AllowInsecure }: Config): void {
  if (Host === "") throw new StartError("Host is empty: name the address to listen on, as in 127.0.0.1 or 0.0.0.0");
  if (isLoopback(Host) || AuthToken !== "" || AllowInsecure !== "none") return;
  throw new StartError(
    `Host ${Host} can be reached from other machines: set AuthToken (AUTH_TOKEN), or AllowInsecure to clients or all (R24)`,
  );
}
