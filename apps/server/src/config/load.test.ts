import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "../service.js";
import { type ConfigSources, type LoadedConfig, loadConfig } from "./load.js";
import { printConfig, settingsGiven } from "./redact.js";
import { toEngineSettings } from "./to-engine.js";
import { envName, LEAVES } from "./tree.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dtm-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: string): string {
  const path = join(folder, `${++files}.yml`);
  writeFileSync(path, content);
  return path;
}

function load(yaml: string | null, env: ConfigSources["env"] = {}): LoadedConfig {
  return loadConfig(yaml === null ? { env } : { env, file: file(yaml) });
}

function refusal(yaml: string | null, env: ConfigSources["env"] = {}): string {
  try {
    load(yaml, env);
  } catch (cause) {
    if (cause instanceof StartError) return cause.message;
    throw cause;
  }
  return "accepted";
}

describe("the environment's names are dtm's (protocol.md 7.1)", () => {
  test.each([
    ["Store.Driver", "STORE_DRIVER"],
    ["Store.ConnMaxLifeTime", "STORE_CONN_MAX_LIFE_TIME"],
    ["Store.FinishedDataExpire", "STORE_FINISHED_DATA_EXPIRE"],
    ["TransCronInterval", "TRANS_CRON_INTERVAL"],
    ["JsonRpcPort", "JSON_RPC_PORT"],
    ["MicroService.EndPoint", "MICRO_SERVICE_END_POINT"],
    ["HttpMicroService.RegistryType", "HTTP_MICRO_SERVICE_REGISTRY_TYPE"],
    ["UpdateBranchAsyncGoroutineNum", "UPDATE_BRANCH_ASYNC_GOROUTINE_NUM"],
    ["Log.RotationConfigJSON", "LOG_ROTATION_CONFIG_JSON"],
    ["AlertWebHook", "ALERT_WEB_HOOK"],
    ["GrpcServiceConfig", "GRPC_SERVICE_CONFIG"],
    ["AuthToken", "AUTH_TOKEN"],
    ["Types.saga.RetryInterval", "TYPES_SAGA_RETRY_INTERVAL"],
  ])("%s is %s", (path, env) => {
    expect(envName(path)).toBe(env);
    expect(LEAVES.find((leaf) => leaf.path === path)?.env).toBe(env);
  });

  test("no two settings share one", () => {
    expect(new Set(LEAVES.map((leaf) => leaf.env)).size).toBe(LEAVES.length);
  });
});

describe("which source wins", () => {
  test("the default, when nobody says anything", () => {
    const { config, sources } = load(null);
    expect([config.Store.Driver, config.HttpPort, config.Host]).toEqual(["sqlite", 36789, "127.0.0.1"]);
    expect(sources.get("HttpPort")).toBe("default");
  });

  test("the file over the default, the environment over the file", () => {
    const { config, sources } = load("HttpPort: 1001\nGrpcPort: 1002\n", { GRPC_PORT: "2002" });
    expect([config.HttpPort, config.GrpcPort]).toEqual([1001, 2002]);
    expect(sources.get("HttpPort")).toMatch(/^file /);
    expect(sources.get("GrpcPort")).toBe("environment GRPC_PORT");
  });

  test("a flag over the environment", () => {
    expect(loadConfig({ env: { LOG_LEVEL: "error" }, flags: { LogLevel: "debug" } }).config.LogLevel).toBe("debug");
  });

  test("an empty variable counts as not set", () => {
    expect(load("HttpPort: 1001\n", { HTTP_PORT: "" }).config.HttpPort).toBe(1001);
  });
});

describe("the file", () => {
  test.each([
    ["a quoted number", 'Store: { Driver: redis, Host: h, Port: "6379" }', 6379],
    ["a plain number", "Store: { Driver: redis, Host: h, Port: 6379 }", 6379],
    ["a value left empty", "Store:\n  Port:\n", 0],
    ["nothing at all", "", 0],
    ["only comments", "# Store:\n#   Port: 1\n", 0],
  ])("takes %s", (_, yaml, port) => {
    expect(load(yaml).config.Store.Port).toBe(port);
  });

  test("leaves a password as it is written", () => {
    expect(load("Store:\n  Password: 0123\n").config.Store.Password).toBe("0123");
  });

  test("takes lists in both forms", () => {
    expect(load("AllowedHosts: [a, b]\n").config.AllowedHosts).toEqual(["a", "b"]);
    expect(load(null, { ALLOWED_HOSTS: "a, b" }).config.AllowedHosts).toEqual(["a", "b"]);
  });

  test.each([
    ["AutoMigrate: false", false],
    ["AutoMigrate: False", false],
    ['AutoMigrate: "0"', false],
    ["AutoMigrate: true", true],
    ["AutoMigrate: 1", true],
    ["", true],
  ])("takes yes and no as %j", (yaml, yes) => {
    expect(load(yaml).config.AutoMigrate).toBe(yes);
  });

  test.each([
    ["store:\n  Driver: redis\n", /line 1: unknown setting store; did you mean Store\?/],
    ["Store:\n  Hots: h\n", /line 2: unknown setting Store\.Hots; did you mean Store\.Host\?/],
    ["retryInterval: 20\n", /unknown setting retryInterval; did you mean RetryInterval\?/],
    ["Password: x\n", /unknown setting Password; did you mean Store\.Password\?/],
    ["Nonsense: x\n", /unknown setting Nonsense; docs\/settings\.md lists all/],
    ["__proto__: { a: 1 }\n", /unknown setting __proto__/],
    ["Types:\n  sage: { RetryInterval: 1 }\n", /unknown setting Types\.sage; did you mean Types\.saga\?/],
    ["Store: redis\n", /line 1: Store holds settings of its own: Driver, /],
    ["HttpPort: { a: 1 }\n", /HttpPort: expected one value/],
    ["- a\n", /expected settings as/],
    ["Store: {\n", /line \d: /],
    ["HttpPort: 1\nHttpPort: 2\n", /line 2: Map keys must be unique/],
  ])("%j is refused", (yaml, message) => {
    const said = refusal(yaml);
    expect(said).toMatch(message);
    expect(said).not.toContain("\n");
  });

  test("that can't be read is named", () => {
    expect(() => loadConfig({ env: {}, file: join(folder, "absent.yml") })).toThrow(/-c names .*absent\.yml.*ENOENT/);
  });
});

describe("secrets", () => {
  test("come from the file that the environment names", () => {
    const { config, sources } = load(null, { AUTH_TOKEN_FILE: file("0123456789abcdef\n") });
    expect(config.AuthToken).toBe("0123456789abcdef");
    expect(sources.get("AuthToken")).toBe("environment AUTH_TOKEN_FILE");
  });

  test.each([
    [{ AUTH_TOKEN: "a", AUTH_TOKEN_FILE: "/b" }, "AUTH_TOKEN and AUTH_TOKEN_FILE are both set: keep one"],
    [{ STORE_PASSWORD_FILE: "/nowhere/at/all" }, "STORE_PASSWORD_FILE names /nowhere/at/all, which can't be read: ENOENT"],
    [
      { AUTH_TOKEN: "hush hush" },
      "AuthToken: expected visible ASCII characters without spaces, found something else (environment AUTH_TOKEN)",
    ],
  ])("%j is refused", (env, message) => {
    expect(refusal(null, env)).toBe(message);
  });

  test.each(["AUTH_TOKEN_FILE", "STORE_PASSWORD_FILE", "ALERT_WEB_HOOK_FILE"])(
    "an empty file of %s turns nothing off",
    (variable) => {
      for (const content of ["", "\n", " \r\n"]) {
        const path = file(content);
        expect(refusal(null, { [variable]: path })).toBe(
          `${variable} names ${path}, which is empty: write the secret into it, or unset ${variable}`,
        );
      }
    },
  );

  test("are never printed", () => {
    const loaded = load("Store: { Password: hush-1 }\nAuthToken: hush-2-0123456789\n", {
      ALERT_WEB_HOOK: "http://h/?key=hush-3",
    });
    const printed = printConfig(loaded) + JSON.stringify(settingsGiven(loaded)) + JSON.stringify(loaded.warnings);
    expect(printed).not.toContain("hush");
    expect(printed).toContain("***");
  });
});

test("what is printed can be read again and says where it came from", () => {
  const loaded = load("HttpPort: 1001\nAllowedHosts: [a, b]\nTypes: { tcc: { RetryInterval: 2 } }\n", { STORE_SCHEMA: "0x" });
  const printed = printConfig(loaded);
  expect(printed).toMatch(/^HttpPort: 1001 +# file /m);
  expect(printed).toMatch(/^ {2}Schema: "0x" +# environment STORE_SCHEMA$/m);
  expect(load(printed).config).toEqual(loaded.config);
});

describe("what dtm refuses is refused in its words, and what only we refuse in ours (protocol.md 7.1)", () => {
  const mysql = { STORE_DRIVER: "mysql", STORE_HOST: "h", STORE_PORT: "1", STORE_USER: "u" };
  const postgres = { ...mysql, STORE_DRIVER: "postgres" };
  const redis = { STORE_DRIVER: "redis", STORE_HOST: "h:1" };
  const client = { STORE_TLS_CERT_FILE: "a.pem", STORE_TLS_KEY_FILE: "b.pem" };
  test.each<[string, Record<string, string>, string]>([
    ["", { RETRY_INTERVAL: "9" }, "RetryInterval should not be less than 10"],
    ["", { RETENTION: "3600" }, "Retention must be 0 or at least 86400"],
    ["", { TIMEOUT_TO_FAIL: "9" }, "TimeoutToFail should not be less than RetryInterval"],
    ["", { RETRY_MAX_INTERVAL: "9" }, "RetryMaxInterval should not be less than RetryInterval"],
    ["", { ...mysql, STORE_HOST: "" }, "Db host not valid"],
    ["", { ...mysql, STORE_PORT: "" }, "Db port not valid"],
    ["", { ...mysql, STORE_USER: "" }, "Db user not valid"],
    ["", { ...postgres, STORE_HOST: "" }, "Db host not valid"],
    ["Store: { Schema: '' }", postgres, "Postgres schema not valid"],
    ["", { STORE_DRIVER: "redis" }, "Redis host not valid"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h" }, "Redis port not valid"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1,i:2" }, "accepted"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1, [::1]:2,::1,[::1]", STORE_PORT: "1" }, "accepted"],
    [
      "",
      { STORE_DRIVER: "redis", STORE_HOST: "redis://u:hush@h:1" },
      "Store.Host (STORE_HOST) must not be a URL: name the host alone",
    ],
    [
      "",
      { STORE_DRIVER: "redis", STORE_HOST: "i:1,h:abc" },
      'Store.Host (STORE_HOST) names "h:abc", which has no port after its colon',
    ],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:70000" }, 'names "h:70000", which has no port after its colon'],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1/0" }, 'Store.Host (STORE_HOST) names "h:1/0", which has no port'],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1:2" }, "has no port after its colon"],
    ["", { ...mysql, STORE_HOST: "mysql://h" }, "Store.Host (STORE_HOST) must not be a URL"],
    ["", { ...postgres, STORE_HOST: "h:5432" }, "is h:5432, which is no host: its port goes to Store.Port (STORE_PORT)"],
    ["", { ...postgres, STORE_HOST: "::1" }, "accepted"],
    ["", { ...postgres, STORE_HOST: "/var/run/postgresql" }, "accepted"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1", STORE_KEY_PREFIX: "{a}" }, "Store.KeyPrefix (STORE_KEY_PREFIX) is made of"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1", STORE_FINISHED_DATA_EXPIRE: "3600" }, "FinishedDataExpire must be 0 or"],
    ["", { STORE_DRIVER: "redis", STORE_HOST: "h:1", STORE_TLS_KEY_FILE: "a.pem" }, "Store.TlsKeyFile need each other"],
    ["", { ...redis, STORE_TLS_CA_FILE: "a.pem" }, "Store.TlsCaFile (STORE_TLS_CA_FILE) is set, and Store.TlsMode"],
    ["", { ...mysql, STORE_TLS_CA_FILE: "a.pem" }, "Store.TlsCaFile (STORE_TLS_CA_FILE) is set, and Store.TlsMode"],
    [
      "",
      { ...postgres, ...client },
      "Store.TlsCertFile (STORE_TLS_CERT_FILE) is set, and Store.TlsMode (STORE_TLS_MODE) is disable",
    ],
    ["", { ...postgres, ...client, STORE_TLS_MODE: "require" }, "accepted"],
    ["", { ...postgres, STORE_MAX_OPEN_CONNS: "2" }, "Store.MaxOpenConns (STORE_MAX_OPEN_CONNS) is 2: 3 are needed at least"],
    ["", { ...postgres, STORE_MAX_OPEN_CONNS: "3" }, "accepted"],
    ["", { ...mysql, STORE_MAX_OPEN_CONNS: "2" }, "3 are needed at least, for writing, reading and the heartbeat"],
    ["", { ...mysql, STORE_MAX_OPEN_CONNS: "3" }, "accepted"],
    ["", { STORE_DRIVER: "boltdb" }, "drain dtm first, then use sqlite"],
    ["", { STORE_DRIVER: "sqlserver" }, "out of scope"],
    ["", { STORE_DRIVER: "oracle" }, "Store.Driver: expected one of sqlite, memory,"],
    ["", { WORKERS: "2" }, "Workers 2 needs a store that can be shared"],
    ["", { HTTP_PORT: "70000" }, 'HttpPort: expected a whole number from 0 to 65535, found "70000" (environment HTTP_PORT)'],
    ["", { HTTP_PORT: "36790" }, "HttpPort and GrpcPort are both 36790"],
    ["", { REQUEST_TIMEOUT: "3s" }, "RequestTimeout: expected a whole number"],
    ["", { REQUEST_TIMEOUT: "-1" }, "RequestTimeout: expected a whole number"],
    ["", { RETRY_JITTER: "1.5" }, "RetryJitter: expected a number from 0 to 1"],
    ["", { AUTO_MIGRATE: "off" }, 'AutoMigrate: expected true or false, found "off" (environment AUTO_MIGRATE)'],
    ["", { LOG_LEVEL: "loud" }, "LogLevel: expected one of debug, info, warn, error"],
    ["", { ALERT_WEB_HOOK: "ftp://h" }, "AlertWebHook: expected a http:// or https:// URL"],
    ["", { GRPC_SERVICE_CONFIG: "{" }, "GrpcServiceConfig: expected JSON text"],
    ["", { TIME_ZONE_OFFSET: "CET" }, "TimeZoneOffset: expected hours"],
    ["", { TIME_ZONE_OFFSET: "+8" }, "accepted"],
    ["", { TIME_ZONE_OFFSET: "-08" }, "accepted"],
    ["", { LOG_LEVEL: "INFO" }, "accepted"],
    ["", { STORE_DATA_EXPIRE: "-1", UPDATE_BRANCH_SYNC: "-1" }, "accepted"],
    ["", { LEASE_MS: "2500" }, "LeaseMs should not be less than two HeartbeatMs"],
    ["", { TLS_CERT_FILE: "a.pem" }, "Tls.CertFile and Tls.KeyFile need each other"],
    ["", { EGRESS_DENY: "10.0.0.0/33" }, "Egress.Deny: expected host names"],
    ["", { EGRESS_ALLOW: "http://h/" }, "Egress.Allow: expected host names"],
    ["", { EGRESS_ALLOW: "*.example, shop, 10.0.0.0/8, fd00::/8, ::1" }, "accepted"],
    ["DataDir: ''", {}, "DataDir is empty"],
  ])("%j %j: %s", (yaml, env, message) => {
    const said = refusal(yaml, env);
    expect(said).toContain(message);
    expect(said).not.toContain("\n");
  });
});

describe("R24: another address than loopback needs credentials", () => {
  test.each<[Record<string, string>, string]>([
    [{ HOST: "0.0.0.0" }, "Host 0.0.0.0 can be reached from other machines: set AuthToken (AUTH_TOKEN)"],
    [{ HOST: "::" }, "Host :: can be reached"],
    [{ HOST: "my-machine" }, "Host my-machine can be reached"],
    [{ HOST: "127.0.0.1.evil.example" }, "can be reached"],
    [{ HOST: "0.0.0.0", AUTH_TOKEN: "0123456789abcdef" }, "accepted"],
    [{ HOST: "0.0.0.0", ALLOW_INSECURE: "clients" }, "accepted"],
    [{ HOST: "0.0.0.0", ALLOW_INSECURE: "all" }, "accepted"],
    [{ HOST: "localhost" }, "accepted"],
    [{ HOST: "127.0.0.2" }, "accepted"],
    [{ HOST: "::1" }, "accepted"],
  ])("%j: %s", (env, message) => {
    expect(refusal(null, env)).toContain(message);
  });
});

test("settings of dtm that do nothing here are said once each", () => {
  const { warnings } = load("GrpcBalancer: x\nHttpMicroService: { Driver: nacos }\n", {
    JSON_RPC_PORT: "1",
    UPDATE_BRANCH_SYNC: "0",
  });
  expect(warnings.map((warning) => warning.split(" ")[0])).toEqual([
    "JsonRpcPort",
    "HttpMicroService.Driver",
    "GrpcBalancer",
    "UpdateBranchSync",
  ]);
});

test.each(["''", "[]", '""', "'  '"])("Log.Outputs: %s is the default, not silence", (text) => {
  const { config, sources } = load(`Log: { Outputs: ${text} }\n`);
  expect(config.Log.Outputs).toEqual(["stderr"]);
  expect(sources.get("Log.Outputs")).toBe("default");
});

test("AdminBasePath has no effect, and that is said once", () => {
  expect(load("AdminBasePath: /dtm\n").warnings).toEqual([
    expect.stringMatching(/^AdminBasePath \(file .*\) has no effect: this server has no dashboard$/),
  ]);
});

describe("what the engine gets", () => {
  test("one type overrides what holds for all", () => {
    const { types } = toEngineSettings(load("RetryInterval: 20\nTypes: { saga: { RetryInterval: 2, RetryLimit: 3 } }\n").config);
    expect([types.saga.retryInterval, types.saga.retryLimit, types.tcc.retryInterval, types.tcc.retryLimit]).toEqual([
      2, 3, 20, 0,
    ]);
  });

  test("a saga has no timeout unless its own setting says so", () => {
    const { types } = toEngineSettings(load("TimeoutToFail: 60\n").config);
    expect([types.saga.timeoutToFail, types.msg.timeoutToFail]).toEqual([0, 60]);
  });

  test("the server's own timeout stays what it is beside a type's", () => {
    const { timeoutToFail, types } = toEngineSettings(load("TimeoutToFail: 60\nTypes: { tcc: { TimeoutToFail: 7 } }\n").config);
    expect([timeoutToFail, types.tcc.timeoutToFail]).toEqual([60, 7]);
  });

  test("a type's cap is never below its base (R14)", () => {
    const { types } = toEngineSettings(load("RetryMaxInterval: 30\nTypes: { msg: { RetryInterval: 40 } }\n").config);
    expect(types.msg.retryMaxInterval).toBe(40);
  });
});
