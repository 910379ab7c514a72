/**
 * The stores a run can use, and what each must be told before it and asked about its durability (R32). Database servers are reached
 * with their own command line tools; whatever lies in the databases `dtm` and `dtm_ours` (on Redis: everything) is thrown away.
 */
import { execFileSync } from "node:child_process";

function tool(command, args, { input, env = {} } = {}) {
  try {
    return execFileSync(command, args, {
      encoding: "utf8",
      input: input ?? "",
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
  } catch (cause) {
    if (cause.code === "ENOENT")
      throw new Error(`the command line tool \`${command}\` is missing; the bench prepares this store with it`);
    throw new Error(`${command} failed: ${cause.stderr || cause.message}`);
  }
}

const mysql = (c, sql) =>
  tool("mysql", ["-h", c.host, "-P", String(c.port), "-u", c.user, "-N", "-B"], { input: sql, env: { MYSQL_PWD: c.password } });
const psql = (c, database, args) =>
  tool("psql", ["-h", c.host, "-p", String(c.port), "-U", c.user, "-d", database, "-v", "ON_ERROR_STOP=1", "-qtA", ...args], {
    env: { PGPASSWORD: c.password },
  }).trim();
const redis = (c, ...args) =>
  tool("redis-cli", [
    "-h",
    c.host,
    "-p",
    String(c.port),
    ...(c.password ? ["-a", c.password, "--no-auth-warning"] : []),
    ...args,
  ]).trim();

/** Ratios of design.md 9: sagas per second (must, aim) and CPU per saga (must, aim), ours against dtm's. */
const SQL_TARGETS = { perSecond: [3, 8], cpu: [1, 0.25] };
const REDIS_TARGETS = { perSecond: [1.3, 2], cpu: [1, 0.5] };

const embedded = {
  drivers: { ours: "sqlite", dtm: "boltdb" },
  targets: SQL_TARGETS,
  needsUrl: false,
  proof: "disk",
  /** Each run has a fresh folder. */
  reset: async () => {},
  durability: (_connection, peer) =>
    peer.name === "dtm"
      ? { text: "boltdb default (fdatasync at every commit; dtm has no switch for it)", full: true }
      : { text: "SQLite (WAL, synchronous=FULL), proved by the disk's flushes", full: true },
};

const mysqlStore = {
  drivers: { ours: "mysql", dtm: "mysql" },
  targets: SQL_TARGETS,
  needsUrl: true,
  async reset(c, peer) {
    mysql(c, `DROP DATABASE IF EXISTS ${peer.database}; CREATE DATABASE ${peer.database};`);
    const script = await peer.tables("mysql");
    if (script !== null) mysql(c, `USE ${peer.database}; source ${script};`);
  },
  durability(c) {
    const asked = "SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin";
    const [flush, syncBinlog, binlog] = mysql(c, asked).trim().split("\t");
    const text = `innodb_flush_log_at_trx_commit=${flush} log_bin=${binlog} sync_binlog=${syncBinlog}`;
    return { text, full: flush === "1" };
  },
};

const postgresStore = {
  drivers: { ours: "postgres", dtm: "postgres" },
  targets: SQL_TARGETS,
  needsUrl: true,
  async reset(c, peer) {
    psql(c, "postgres", ["-c", `DROP DATABASE IF EXISTS ${peer.database} WITH (FORCE)`]);
    psql(c, "postgres", ["-c", `CREATE DATABASE ${peer.database}`]);
    const script = await peer.tables("postgres");
    if (script !== null) psql(c, peer.database, ["-f", script]);
  },
  durability(c, peer) {
    const show = (name) => psql(c, peer.database, ["-c", `SHOW ${name}`]);
    const [commit, fsync] = [show("synchronous_commit"), show("fsync")];
    return { text: `synchronous_commit=${commit} fsync=${fsync}`, full: commit === "on" && fsync === "on" };
  },
};

const redisStore = {
  drivers: { ours: "redis", dtm: "redis" },
  targets: REDIS_TARGETS,
  needsUrl: true,
  async reset(c) {
    redis(c, "FLUSHALL");
  },
  durability(c) {
    const show = (name) => redis(c, "CONFIG", "GET", name).split("\n").at(-1);
    // What Redis promises is the operator's choice (design.md 2.1); both peers run on the same one.
    return { text: `appendonly=${show("appendonly")} appendfsync=${show("appendfsync")} (same server for both)`, full: true };
  },
};

/** Ours alone and nothing durable: what the server costs without its store, for profiles. Never compared with dtm. */
const memory = {
  drivers: { ours: "memory", dtm: null },
  targets: SQL_TARGETS,
  needsUrl: false,
  proof: "none",
  reset: async () => {},
  durability: () => ({ text: "NONE (memory)", full: true }),
};

const STORES = { embedded, memory, mysql: mysqlStore, postgres: postgresStore, redis: redisStore };
export const STORE_NAMES = Object.keys(STORES);

function connectionFrom(url) {
  const { hostname, port, username, password } = new URL(url);
  return { host: hostname, port: Number(port), user: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** `url`: where a database server listens, `mysql://user:password@host:port`. */
export function chooseStore(name, url) {
  const store = STORES[name];
  if (store === undefined) throw new Error(`unknown store "${name}": one of ${STORE_NAMES.join(", ")}`);
  if (store.needsUrl && url === undefined)
    throw new Error(
      `--store ${name} needs --store-url ${name}://user:password@host:port (a server for benchmarks only: it is emptied)`,
    );
  return { name, ...store, connection: store.needsUrl ? connectionFrom(url) : null };
}
