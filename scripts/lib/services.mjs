// The database servers that tests and development use: those that the environment names, else local binaries on loopback, else what
// apt-get installs when root, else a line that says what is missing. Their data lies under .cache/services, or /var/tmp.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { CACHE, tail } from "./workspace.mjs";

const READY_MS = 120_000;
const LEAVE_MS = 20_000;
const root = process.getuid?.() === 0;
/** Servers refuse to run as root, and whom they run as may not be let into this checkout. */
const FOLDER = root ? "/var/tmp/dtm-services" : join(CACHE, "services");

/** `variable`: the URL that tests read. `packages`: for apt-get. `find`: the binaries, or null. What one needs of another stands behind it. */
const SERVICES = {
  postgres: {
    variable: "DTM_TEST_POSTGRES",
    title: "PostgreSQL",
    packages: ["postgresql"],
    find: findPostgres,
    start: startPostgres,
  },
  pgbouncer: {
    variable: "DTM_TEST_PGBOUNCER",
    title: "PgBouncer",
    packages: ["pgbouncer"],
    find: findPgbouncer,
    start: startPgbouncer,
  },
  mysql: {
    variable: "DTM_TEST_MYSQL",
    title: "MariaDB or MySQL",
    packages: ["mariadb-server"],
    find: findMariadb,
    start: startMariadb,
  },
  redis: {
    variable: "DTM_TEST_REDIS",
    title: "Redis",
    packages: ["redis-server"],
    find: findRedis,
    start: startRedis,
  },
  "redis-cluster": {
    variable: "DTM_TEST_REDIS_CLUSTER",
    title: "Redis Cluster",
    packages: ["redis-server", "redis-tools"],
    find: findRedis,
    start: startRedisCluster,
  },
};

export const SERVICE_NAMES = Object.keys(SERVICES);

/** Starts what isn't named by the environment. Returns the variables for tests, what could not be had, and how to stop what was started. */
export async function startServices(names = SERVICE_NAMES) {
  const env = {};
  const missing = [];
  const running = [];
  const stop = async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()));
  };
  for (const name of names) {
    const { variable, title, packages } = SERVICES[name];
    if (process.env[variable]) {
      env[variable] = process.env[variable];
      continue;
    }
    try {
      const server = await startOwn(name, { env });
      if (server === null) {
        missing.push(`${title}: set ${variable} to a server's URL, or install ${packages.join(" ")}`);
        continue;
      }
      running.push(server);
      env[variable] = server.url;
    } catch (cause) {
      missing.push(`${title} did not start: ${cause.message.split("\n", 1)[0]}`);
    }
  }
  return { env, missing, stop };
}

/**
 * A server of the caller's own, whatever the environment names: one that may be killed. Its `members` are its processes, each with its port,
 * `kill` (SIGKILL) and `start` (on the same data). Null: it isn't here and can't be installed.
 * `settings`: more of them for Redis. `nodes`: how many a Cluster has, of which three are masters. `env`: the servers there are already.
 * `tls`: the PEM files `ca`, `cert` and `key` of one that takes nothing but TLS, and on PostgreSQL from the role `certified` a certificate of its own.
 */
export async function startOwn(name, options = {}) {
  const { packages, find, start } = SERVICES[name];
  const found = find() ?? (install(packages) ? find() : null);
  return found === null ? null : start(found, options);
}

function install(packages) {
  if (!root || !onPath("apt-get")) return false;
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, stdio: "ignore" };
  const arguments_ = ["install", "-y", "--no-install-recommends", ...packages];
  if (spawnSync("apt-get", arguments_, options).status === 0) return true;
  return spawnSync("apt-get", ["update"], options).status === 0 && spawnSync("apt-get", arguments_, options).status === 0;
}

function findPostgres() {
  const folders = ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt/postgresql"];
  const versions = existsSync(folders[0])
    ? readdirSync(folders[0])
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(folders[0], version, "bin"))
    : [];
  const bin = [
    ...versions,
    ...folders.slice(1).map((folder) => join(folder, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ].find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
  return bin === undefined ? null : { initdb: join(bin, "initdb"), postgres: join(bin, "postgres") };
}

async function startPostgres({ initdb, postgres }, { tls = null }) {
  const user = plainUser("postgres");
  const data = freshFolder("postgres", user);
  must(spawnSync(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], as(user)));
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 300,
    max_prepared_transactions: 50,
    ...(tls === null ? {} : postgresTls(placed(tls, data, user), data)),
  };
  const server = serverProcess(
    "postgres",
    postgres,
    ["-D", data, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
    {
      port,
      user,
      folder: data,
      // "fast": ends connections and stops.
      signal: "SIGINT",
      ready: /database system is ready to accept connections/,
      // Of one that was killed, those processes that served its connections take a moment to notice.
      again: /is still in use/,
    },
  );
  await server.start();
  return alone(server, `postgres://postgres@127.0.0.1:${port}/postgres`);
}

function postgresTls({ ca, cert, key }, data) {
  const rules = ["hostssl all certified all trust clientcert=verify-ca", "hostssl all postgres all trust"];
  writeFileSync(join(data, "pg_hba.conf"), `${rules.join("\n")}\n`);
  return { ssl: "on", ssl_ca_file: ca, ssl_cert_file: cert, ssl_key_file: key };
}

function findPgbouncer() {
  const pgbouncer = onPath("pgbouncer");
  return pgbouncer === null ? null : { pgbouncer };
}

/** In front of the PostgreSQL server that there is, with a connection per transaction. */
async function startPgbouncer({ pgbouncer }, { env = {} }) {
  const {
    hostname,
    port: behind,
    username,
  } = new URL(env.DTM_TEST_POSTGRES ?? process.env.DTM_TEST_POSTGRES ?? "postgres://postgres@127.0.0.1:5432");
  const user = plainUser("postgres");
  const folder = freshFolder("pgbouncer", user);
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
  };
  const lines = [
    "[databases]",
    `* = host=${hostname} port=${behind || 5432} user=${username}`,
    "[pgbouncer]",
    ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  if (user !== null) chownSync(file, user.uid, user.gid);
  const server = serverProcess("pgbouncer", pgbouncer, [file], { port, user, folder, signal: "SIGINT", ready: /process up/ });
  await server.start();
  return alone(server, `postgres://${username}@127.0.0.1:${port}/postgres`);
}

function findMariadb() {
  const server = onPath("mariadbd") ?? onPath("mysqld");
  const installer = onPath("mariadb-install-db") ?? onPath("mysql_install_db");
  return server === null ? null : { server, installer };
}

async function startMariadb({ server: binary, installer }, { tls = null }) {
  const user = plainUser("mysql");
  const data = freshFolder("mysql", user);
  const common = ["--no-defaults", `--datadir=${data}`];
  if (installer !== null) {
    must(spawnSync(installer, [...common, "--auth-root-authentication-method=normal", "--skip-test-db"], as(user)));
  } else must(spawnSync(binary, [...common, "--initialize-insecure"], as(user)));
  const port = await freePort();
  const server = serverProcess(
    "mysql",
    binary,
    [
      ...common,
      "--bind-address=127.0.0.1",
      `--port=${port}`,
      `--socket=${join(data, "s.sock")}`,
      `--pid-file=${join(data, "pid")}`,
      "--max-connections=300",
      ...(tls === null ? [] : mariadbTls(placed(tls, data, user))),
    ],
    { port, user, folder: data, signal: "SIGTERM", ready: /ready for connections/ },
  );
  await server.start();
  return alone(server, `mysql://root@127.0.0.1:${port}/mysql`);
}

function mariadbTls({ ca, cert, key }) {
  return [`--ssl-ca=${ca}`, `--ssl-cert=${cert}`, `--ssl-key=${key}`, "--require-secure-transport=ON"];
}

function findRedis() {
  const server = onPath("redis-server") ?? onPath("valkey-server");
  const cli = onPath("redis-cli") ?? onPath("valkey-cli");
  return server === null || cli === null ? null : { server, cli };
}

async function startRedis(found, { settings = {}, tls = null }) {
  const port = await freePort();
  return alone(await startRedisNode("redis", found, port, settings, tls), `redis://127.0.0.1:${port}`);
}

function redisTls({ ca, cert, key }, port) {
  const files = { "tls-ca-cert-file": ca, "tls-cert-file": cert, "tls-key-file": key };
  return { port: 0, "tls-port": port, ...files, "tls-auth-clients": "optional" };
}

const MASTERS = 3;

/** Each master with a replica at least. */
async function startRedisCluster(found, { nodes: count = 6, settings = {} }) {
  const servers = [];
  const ports = [];
  const stop = async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  };
  try {
    while (servers.length < count) {
      const port = await freePort();
      // The nodes speak to each other ten thousand ports higher.
      if (port > 55_000) continue;
      // A busy machine isn't a dead node.
      const cluster = { "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "15000" };
      servers.push(await startRedisNode(`redis-cluster-${servers.length + 1}`, found, port, { ...cluster, ...settings }));
      ports.push(port);
    }
    const nodes = ports.map((port) => `127.0.0.1:${port}`);
    must(
      spawnSync(found.cli, ["--cluster", "create", ...nodes, "--cluster-replicas", "1", "--cluster-yes"], { encoding: "utf8" }),
    );
    const ask = (port, ...command) => spawnSync(found.cli, ["-p", String(port), ...command], { encoding: "utf8" }).stdout;
    // To each of them, who may have heard of the others' parts later than it heard of them.
    const replicas = (port) => ask(port, "cluster", "nodes").match(/ (?:myself,)?slave /g)?.length ?? 0;
    const ready = (port) =>
      ask(port, "cluster", "info").includes("cluster_state:ok") &&
      replicas(port) === count - MASTERS &&
      !ask(port, "info", "replication").includes("link_status:down");
    const deadline = performance.now() + READY_MS;
    while (!ports.every(ready)) {
      if (performance.now() > deadline) throw new Error("it was not ready in time");
      await pause(100);
    }
    return { stop, members: [...servers], url: `redis://${nodes.join(",")}` };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

async function startRedisNode(name, { server: binary }, port, more, tls = null) {
  const user = plainUser("redis");
  const dir = freshFolder(name, user);
  const ports = tls === null ? { port } : redisTls(placed(tls, dir, user), port);
  const settings = { ...ports, dir, bind: "127.0.0.1", appendonly: "yes", save: "", "maxmemory-policy": "noeviction", ...more };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const server = serverProcess(name, binary, args, {
    port,
    user,
    folder: dir,
    signal: "SIGTERM",
    ready: /ready to accept connections/i,
  });
  await server.start();
  return server;
}

function alone(server, url) {
  return { stop: server.stop, members: [server], url };
}

/** How each server ends with this process, whatever it ends of. */
const alive = new Set();
process.on("exit", () => {
  for (const killNow of alive) killNow();
});

/**
 * A process that ends with us; `ready`: what its log says when it is. Killed, it can be started again on what it left, and `again` is what its
 * log says when that is a moment too early. Stopping it removes its folder and its log.
 */
function serverProcess(name, command, args, { port, user, signal, folder, ready, again = null }) {
  const log = join(FOLDER, `${name}-${process.pid}.log`);
  let child = null;
  let ended = null;
  let over = Promise.resolve();
  const killNow = () => child?.kill("SIGKILL");
  alive.add(killNow);

  function spawnOnce() {
    writeFileSync(log, "");
    const output = openSync(log, "a");
    child = spawn(command, args, { ...as(user), stdio: ["ignore", output, output] });
    closeSync(output);
    ended = null;
    over = new Promise((resolve) => {
      const note = (how) => {
        ended = how;
        resolve();
      };
      child.once("error", (error) => note(error.message));
      child.once("exit", (code, by) => note(code ?? by));
    });
  }

  async function end(by) {
    if (child !== null && ended === null) child.kill(by);
    await over;
  }

  return {
    port,
    async start() {
      const deadline = performance.now() + READY_MS;
      for (spawnOnce(); !ready.test(tail(log)); await pause(50)) {
        if (performance.now() > deadline) throw new Error("it was not ready in time");
        if (ended === null) continue;
        if (!again?.test(tail(log))) throw new Error(`it ended (${ended}): ${tail(log, 1)}`);
        spawnOnce();
      }
    },
    kill: () => end("SIGKILL"),
    async stop() {
      // A Redis that writes its first AOF refuses to end, and forgets that it was asked.
      const late = setTimeout(killNow, LEAVE_MS);
      await end(signal);
      clearTimeout(late);
      alive.delete(killNow);
      for (const path of [folder, log]) rmSync(path, { recursive: true, force: true });
    },
  };
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause.code === "EPERM";
  }
}

/** Database servers refuse to run as root. */
function plainUser(wanted) {
  if (!root) return null;
  for (const name of [wanted, "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) => Number(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout));
    if (uid > 0) return { uid, gid };
  }
  throw new Error("there is no user to run it as");
}

function as(user) {
  return { ...(user ?? {}), cwd: FOLDER, encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" } };
}

/** Of this process: others may run theirs at the same time. What a killed one left behind goes with the next start. */
function freshFolder(name, user) {
  mkdirSync(FOLDER, { recursive: true });
  chmodSync(FOLDER, 0o755);
  for (const entry of readdirSync(FOLDER)) {
    const pid = Number(/-(\d+)(\.log)?$/.exec(entry)?.[1] ?? process.pid);
    if (!lives(pid)) rmSync(join(FOLDER, entry), { recursive: true, force: true });
  }
  const folder = join(FOLDER, `${name}-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  if (user !== null) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Copies that the server's user may read, and nobody else. */
function placed(files, folder, user) {
  const places = Object.entries(files).map(([name, file]) => {
    const place = join(folder, `${name}.pem`);
    copyFileSync(file, place);
    chmodSync(place, 0o600);
    if (user !== null) chownSync(place, user.uid, user.gid);
    return [name, place];
  });
  return Object.fromEntries(places);
}

function must({ status, error, stderr }) {
  if (status !== 0) throw new Error(error?.message ?? stderr?.trim().split("\n").at(-1) ?? "it could not be set up");
}

function onPath(command) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, command)).find((file) => existsSync(file)) ?? null;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
