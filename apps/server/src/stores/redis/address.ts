/** Where Redis is and how to speak to it: the settings as ioredis takes them. */
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { Redis, type RedisOptions } from "ioredis";
import { readTlsFiles, type Tls } from "../relational/tls.js";
import type { HostPort } from "./hosts.js";

export interface RedisAddress {
  /** One server, some nodes of a Cluster, or the Sentinels. */
  readonly hosts: readonly HostPort[];
  /** The name that the Sentinels know the master by; "" when the hosts are Redis itself. */
  readonly sentinelMaster: string;
  readonly sentinelPassword: string;
  readonly user: string;
  readonly password: string;
  readonly tls: Tls;
}

const CONNECT_MS = 3_000;
/** Each Sentinel's, so that those behind a silent one are asked in time. */
const SENTINEL_MS = 1_000;

/** A connection that isn't opened yet, and never opens again by itself: what was under way when it closed is ours to judge (R7). */
export function connectionTo(address: RedisAddress, node: HostPort | null): Redis {
  const { sentinelMaster, sentinelPassword, hosts, user, password, tls } = address;
  const secure = tlsOf(tls);
  const options: RedisOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => null,
    reconnectOnError: () => false,
    connectTimeout: CONNECT_MS,
    keepAlive: 10_000,
    enableReadyCheck: true,
    connectionName: "dtm",
    // Would name ioredis and its version, which it can't find out in a bundle.
    disableClientInfo: true,
    ...(user === "" ? {} : { username: user }),
    ...(password === "" ? {} : { password }),
    ...(secure === null ? {} : { tls: secure }),
  };
  if (sentinelMaster === "") {
    const [first] = hosts;
    return new Redis({ ...options, ...(node ?? first) });
  }
  return new Redis({
    ...options,
    sentinels: [...hosts],
    name: sentinelMaster,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: SENTINEL_MS,
    ...(sentinelPassword === "" ? {} : { sentinelPassword }),
    ...(secure === null ? {} : { sentinelTLS: secure, enableTLSForSentinelMode: true }),
  });
}

function tlsOf(tls: Tls): ConnectionOptions | null {
  if (tls.mode === "disable") return null;
  return {
    rejectUnauthorized: tls.mode !== "require",
    checkServerIdentity: tls.mode === "verify-full" ? checkServerIdentity : () => undefined,
    ...readTlsFiles(tls),
  };
}
