/**
 * Every setting of the server: its place in the YAML file, default, unit and one sentence (docs/settings.md is made from here).
 * dtm's names and defaults are kept (protocol.md 7.1); our own follow its style. The environment's name comes from the place.
 */
import {
  anyCaseOf,
  hours,
  inherited,
  json,
  list,
  oneOf,
  places,
  type Setting,
  setting,
  share,
  text,
  token,
  webUrl,
  whole,
  yesNo,
} from "./setting.js";

/** R22: nothing waits longer than ten years. */
const TEN_YEARS_SECONDS = 315_360_000;
const seconds = whole({ min: 0, max: TEN_YEARS_SECONDS });
const secondsFromOne = whole({ min: 1, max: TEN_YEARS_SECONDS });
const millis = whole({ min: 0, max: 86_400_000 });
const count = whole({ min: 0, max: 1_000_000 });
const countFromOne = whole({ min: 1, max: 1_000_000 });
const port = whole({ min: 0, max: 65_535 });

export const DRIVERS = ["sqlite", "memory", "mysql", "postgres", "redis", "boltdb", "sqlserver"] as const;
export const TLS_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export const ALLOW_INSECURE = ["none", "clients", "all"] as const;

const perType = {
  RetryInterval: setting(inherited(secondsFromOne), { initial: null, unit: "s", about: "Overrides RetryInterval." }),
  TimeoutToFail: setting(inherited(seconds), { initial: null, unit: "s", about: "Overrides TimeoutToFail; 0 = never." }),
  RequestTimeout: setting(inherited(secondsFromOne), { initial: null, unit: "s", about: "Overrides RequestTimeout." }),
  RetryMaxInterval: setting(inherited(secondsFromOne), { initial: null, unit: "s", about: "Overrides RetryMaxInterval." }),
  RetryJitter: setting(inherited(share()), { initial: null, about: "Overrides RetryJitter." }),
  Concurrency: setting(inherited(count), { initial: null, about: "Overrides Concurrency." }),
  StuckAfterAttempts: setting(inherited(countFromOne), { initial: null, about: "Overrides StuckAfterAttempts." }),
};

export const SETTINGS = {
  Store: {
    Driver: setting(oneOf(DRIVERS), {
      initial: "sqlite",
      about:
        "Where transactions are kept: sqlite (a file under DataDir), postgres, mysql, redis, or memory (nothing survives a restart).",
    }),
    Host: setting(text, { initial: "", about: "Host of the database; for redis also host1:port1,host2:port2." }),
    Port: setting(port, { initial: 0, about: "Port of the database." }),
    User: setting(text, { initial: "", about: "User of the database." }),
    Password: setting(text, { initial: "", secret: true, about: "Password of the database." }),
    Db: setting(text, { initial: "dtm", about: "Name of the SQL database." }),
    Schema: setting(text, { initial: "public", about: "PostgreSQL schema of the tables; made when it is absent." }),
    TlsMode: setting(oneOf(TLS_MODES), {
      initial: "disable",
      about:
        "TLS to the database: require encrypts only, verify-ca also checks who signed, verify-full also the name, so that on MySQL Store.Host must be one.",
    }),
    TlsCaFile: setting(text, { initial: "", about: "PEM file of the authorities that may sign the database's certificate." }),
    TlsCertFile: setting(text, { initial: "", about: "PEM file of the certificate that this server shows the database." }),
    TlsKeyFile: setting(text, { initial: "", about: "PEM file of that certificate's key." }),
    MaxOpenConns: setting(countFromOne, {
      initial: 500,
      about: "Connections of each process to an SQL database, at most; 3 at least.",
    }),
    MaxIdleConns: setting(count, {
      initial: 500,
      about: "Not used.",
      unused: "the connection pools close idle connections themselves",
    }),
    ConnMaxLifeTime: setting(count, {
      initial: 5,
      unit: "min",
      about: "Not used.",
      unused: "the connection pools replace broken connections themselves",
    }),
    DataExpire: setting(seconds, {
      initial: 604_800,
      unit: "s",
      about: "How long dtm kept data in Redis or boltdb.",
      unused: "unfinished transactions never expire",
    }),
    FinishedDataExpire: setting(seconds, {
      initial: 86_400,
      unit: "s",
      about: "How long finished transactions stay in Redis, imported ones from the import on: at least a day, 0 = for ever.",
    }),
    KeyPrefix: setting(text, {
      initial: "dtm",
      about: "Begins every key in Redis, so that several coordinators can share one; servers with the same one work together.",
    }),
    WaitReplicas: setting(whole({ min: 0, max: 100 }), {
      initial: 0,
      about: "Replicas of Redis that must have a write before it counts as done; 0 = a failover may undo decisions.",
    }),
    WaitReplicasMs: setting(whole({ min: 1, max: 4_000 }), {
      initial: 1_000,
      unit: "ms",
      about: "How long one wait for those replicas lasts; it is repeated for 5 s, then the outcome counts as unknown.",
    }),
    SentinelMaster: setting(text, {
      initial: "",
      about: "The name by which Redis Sentinels know the master; Host then names the Sentinels, as in host1:port1,host2:port2.",
    }),
    SentinelPassword: setting(text, { initial: "", secret: true, about: "Password of the Sentinels, when they have one." }),
    RedisPrefix: setting(text, {
      initial: "{a}",
      about: "Prefix of the keys that dtm wrote.",
      unused: "the key layout in Redis is our own; `dtm import` looks for these keys",
    }),
  },
  Retention: setting(seconds, {
    initial: 604_800,
    unit: "s",
    about:
      "How long finished transactions are kept: at least a day, 0 = for ever; what dtm wrote is kept, and what dtm import brought counts from the import. On Redis Store.FinishedDataExpire says it.",
  }),
  AutoMigrate: setting(yesNo, {
    initial: true,
    about:
      "A start brings the tables of sqlite, mysql and postgres up to date; if not, it stops when they aren't, and `dtm migrate` does it.",
  }),
  DataDir: setting(text, { initial: "./data", about: "Folder of the sqlite store; one server at a time." }),

  TransCronInterval: setting(whole({ min: 1, max: 3_600 }), {
    initial: 3,
    unit: "s",
    about: "How often an idle server looks for due transactions.",
  }),
  TimeoutToFail: setting(seconds, {
    initial: 35,
    unit: "s",
    about: "When an unfinished tcc, xa, msg or workflow times out; a saga never does unless it says so.",
  }),
  RetryInterval: setting(seconds, {
    initial: 10,
    unit: "s",
    about: "Base of the back-off, and the fixed interval of ONGOING; at least 10.",
  }),
  RetryMaxInterval: setting(secondsFromOne, { initial: 3_600, unit: "s", about: "The back-off doubles up to here." }),
  RetryJitter: setting(share(), { initial: 0.1, about: "Share of the back-off that chance may add." }),
  RequestTimeout: setting(secondsFromOne, { initial: 3, unit: "s", about: "How long one branch call may take." }),
  Concurrency: setting(count, {
    initial: 0,
    about: "Branch calls of one transaction in flight at once; 0 = no limit of its own.",
  }),
  StuckAfterAttempts: setting(countFromOne, {
    initial: 10,
    about: "Failing attempts after which a transaction counts as stuck.",
  }),
  StuckAfter: setting(secondsFromOne, {
    initial: 600,
    unit: "s",
    about: "Without progress for this long beyond its due time a transaction counts as stuck.",
  }),
  Types: {
    saga: {
      ...perType,
      TimeoutToFail: setting(seconds, { initial: 0, unit: "s", about: "When an unfinished saga is undone; 0 = never." }),
      RetryLimit: setting(count, {
        initial: 0,
        about: "Immediate retries of a saga action before the saga is undone; 0 = none.",
      }),
    },
    msg: perType,
    tcc: perType,
    xa: perType,
    workflow: perType,
  },

  Host: setting(text, {
    initial: "127.0.0.1",
    about: "Address that HTTP and gRPC listen on; another than loopback needs AuthToken or AllowInsecure.",
  }),
  HttpPort: setting(port, { initial: 36_789, about: "Port of HTTP; 0 = any free one." }),
  GrpcPort: setting(port, { initial: 36_790, about: "Port of gRPC; 0 = any free one." }),
  JsonRpcPort: setting(port, { initial: 36_791, about: "Not used.", unused: "JSON-RPC is served on HttpPort, as dtm does" }),
  AuthToken: setting(token, {
    initial: "",
    secret: true,
    about: "Callers must send it: `Authorization: Bearer …` over HTTP, the same key as gRPC metadata.",
  }),
  AllowInsecure: setting(oneOf(ALLOW_INSECURE), {
    initial: "none",
    about: "Without a token: clients opens what SDKs need, all opens everything.",
  }),
  AllowedHosts: setting(list, {
    initial: [],
    about: "Names that a `Host` header may carry on a loopback listener, beside localhost and its addresses.",
  }),
  Egress: {
    Allow: setting(places, {
      initial: [],
      about: "When set, branch calls go only to these hosts, *.domains, addresses and CIDR ranges.",
    }),
    Deny: setting(places, {
      initial: [],
      about: "Branch calls never go to these; link-local and metadata addresses are closed unless allowed.",
    }),
  },

  Tls: {
    CertFile: setting(text, {
      initial: "",
      about: "PEM file of the certificate (with its chain) that HTTP and gRPC serve; empty = no TLS.",
    }),
    KeyFile: setting(text, { initial: "", about: "PEM file of the certificate's key." }),
  },

  MaxDriving: setting(countFromOne, {
    initial: 5_000,
    about: "Transactions driven at once; what is submitted above it waits in the store.",
  }),
  DestinationLimit: setting(countFromOne, {
    initial: 256,
    about: "Calls in flight per destination (a URL without its query, or a gRPC method).",
  }),
  Workers: setting(countFromOne, {
    initial: 1,
    about: "Processes of this server; more than one needs a store that can be shared.",
  }),
  LeaseMs: setting(whole({ min: 2_000, max: 600_000 }), {
    initial: 5_000,
    unit: "ms",
    about: "On a shared store, a node not heard of for this long counts as dead.",
  }),
  HeartbeatMs: setting(whole({ min: 100, max: 60_000 }), {
    initial: 1_000,
    unit: "ms",
    about: "On a shared store, how often a node says that it lives.",
  }),
  GraceMs: setting(millis, { initial: 10_000, unit: "ms", about: "How long a stop waits for calls in flight." }),

  MicroService: {
    Driver: setting(text, { initial: "default", about: "How gRPC branch URLs are resolved: default or dns." }),
    Target: setting(text, { initial: "", secret: true, about: "Where this server registers itself; may hold a password." }),
    EndPoint: setting(text, { initial: "", about: "Address that this server registers." }),
  },
  HttpMicroService: {
    Driver: unusedText("default"),
    RegistryType: unusedText(""),
    RegistryAddress: unusedText(""),
    RegistryOptions: unusedText("{}"),
    Target: unusedText(""),
    EndPoint: unusedText(""),
  },
  IsDocker: setting(text, {
    initial: "",
    about:
      "Any text: localhost in a branch URL and in the Host of an SQL database means the container's host (host.docker.internal).",
  }),
  GrpcServiceConfig: setting(json, {
    initial: '{"loadBalancingConfig":[{"round_robin":{}}]}',
    about: "gRPC service config of the channels to branches.",
  }),
  GrpcBalancer: setting(text, { initial: "", about: "Not used.", unused: "dtm never read it; set GrpcServiceConfig" }),

  LogLevel: setting(anyCaseOf(LOG_LEVELS), { initial: "info", about: "The least that is logged." }),
  Log: {
    Outputs: setting(list, { initial: ["stderr"], about: "Where JSON log lines go: stderr, stdout, or paths of files." }),
    RotationEnable: setting(count, {
      initial: 0,
      about: "Not used.",
      unused: "log files are only appended to; rotate them with logrotate's copytruncate",
    }),
    RotationConfigJSON: setting(json, {
      initial: "{}",
      about: "Not used.",
      unused: "log files are only appended to; rotate them with logrotate's copytruncate",
    }),
  },
  AlertRetryLimit: setting(countFromOne, { initial: 3, about: "Failing attempts after which the alert webhook is told." }),
  AlertWebHook: setting(webUrl, {
    initial: "",
    secret: true,
    about: "URL that is told of transactions that keep failing; it may carry a key.",
  }),

  TimeZoneOffset: setting(hours, {
    initial: "",
    unit: "h",
    about:
      "Zone of the times in a MySQL database: that of the dtm that wrote it, and the same on all servers that share it; empty = the system's.",
  }),
  ConfigUpdateInterval: setting(whole({ min: 1, max: 3_600 }), {
    initial: 3,
    unit: "s",
    about: "How often topics are read again.",
  }),
  AdminBasePath: setting(text, {
    initial: "",
    about: "Prefix of the dashboard's pages; the API stays at the root.",
    unused: "this server has no dashboard",
  }),
  UpdateBranchSync: setting(count, {
    initial: 1,
    about: "Not used.",
    unused: "what may be written late is decided per transaction, and nothing is lost by it",
  }),
  UpdateBranchAsyncGoroutineNum: setting(count, { initial: 1, about: "Not used.", unused: "there are no flushers to count" }),
};

function unusedText(initial: string): Setting<string> {
  return setting(text, { initial, about: "Not used.", unused: "dtm parsed it and never used it" });
}

type ConfigOf<T> = T extends Setting<infer V> ? V : { readonly [K in keyof T]: ConfigOf<T[K]> };

export type Config = ConfigOf<typeof SETTINGS>;
