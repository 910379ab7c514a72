// The oldest and the newest database servers that we promise to work with, and older ones that a start has to refuse: each from the release
// of Debian or Ubuntu that has it, unpacked once into .cache/versions. Needs Linux, root, and debootstrap or apt-get.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Trouble } from "./terminal.mjs";
import { CACHE, COORDINATOR, quietly, ROOT } from "./workspace.mjs";

const FOLDER = join(CACHE, "versions");
const require = createRequire(join(ROOT, "apps/server/package.json"));
const UBUNTU = { mirror: "http://archive.ubuntu.com/ubuntu", components: "main,universe" };
const DEBIAN = { mirror: "http://deb.debian.org/debian", components: "main" };

const RELEASES = {
  bionic: { ...UBUNTU, packages: ["mysql-server-core-5.7"] },
  focal: { ...UBUNTU, packages: ["mysql-server-core-8.0", "postgresql-12", "redis-server"] },
  jammy: { ...UBUNTU, packages: ["mariadb-server-core-10.6", "redis-server"] },
  bullseye: { ...DEBIAN, packages: ["mariadb-server-core-10.5", "postgresql-13"] },
  trixie: { ...DEBIAN, packages: ["mariadb-server-core", "mariadb-client-core", "postgresql-17", "redis-server"] },
  sid: { ...DEBIAN, packages: ["mysql-server-core"] },
};

/** What is tried together: each server by the release that it is from. */
export const SETS = [
  { name: "oldest", servers: { mysql: "jammy", postgres: "bullseye", redis: "jammy" } },
  { name: "newest", servers: { mysql: "trixie", postgres: "trixie", redis: "trixie" } },
  { name: "oldest MySQL", servers: { mysql: "focal" } },
  { name: "newest MySQL", servers: { mysql: "sid" } },
];

const TOO_OLD = [
  { kind: "mysql", release: "bionic" },
  { kind: "mysql", release: "bullseye" },
  { kind: "postgres", release: "focal" },
  { kind: "redis", release: "focal" },
];

const VARIABLES = { mysql: "DTM_TEST_MYSQL", postgres: "DTM_TEST_POSTGRES", redis: "DTM_TEST_REDIS" };
const READY_MS = 60_000;
const LEAVE_MS = 20_000;
const REFUSAL_MS = 30_000;

/** Unpacks the releases that aren't there yet; some minutes and a gigabyte for all of them. */
export async function unpackReleases(progress) {
  if (process.getuid?.() !== 0)
    throw new Trouble("the servers' old and new versions need root: they run in a root file system of their own.");
  if (spawnSync("debootstrap", ["--version"], { stdio: "ignore" }).status !== 0)
    await quietly("debootstrap", "apt-get", ["install", "-y", "--no-install-recommends", "debootstrap"]);
  mkdirSync(FOLDER, { recursive: true });
  for (const [release, { mirror, components, packages }] of Object.entries(RELEASES)) {
    const tree = join(FOLDER, release);
    const done = join(tree, "unpacked");
    if (existsSync(done) && readFileSync(done, "utf8") === packages.join(",")) continue;
    rmSync(tree, { recursive: true, force: true });
    // Their keys are not on every machine, and nothing but these servers is run from there.
    const options = ["--no-check-gpg", "--variant=minbase", `--components=${components}`, `--include=${packages.join(",")}`];
    await progress(`unpacking ${release}`, () =>
      quietly(`unpack-${release}`, "debootstrap", [...options, release, tree, mirror]),
    );
    // What makes MariaDB's tables looks itself up.
    writeFileSync(join(tree, "etc/hosts"), `127.0.0.1 localhost ${spawnSync("hostname").stdout}`);
    writeFileSync(done, packages.join(","));
  }
}

/** The variables that name the set's servers to tests, and how to stop them. */
export async function startSet({ servers }) {
  const env = {};
  const running = [];
  const stop = () => Promise.all(running.splice(0).map((server) => server.stop()));
  try {
    for (const [kind, release] of Object.entries(servers)) {
      const server = await start(kind, release);
      running.push(server);
      env[VARIABLES[kind]] = server.url;
    }
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { env, stop };
}

/** Starts the product on each server that is too old. Returns what it did instead of refusing; nothing is right. */
export async function refusals() {
  const wrong = [];
  for (const { kind, release } of TOO_OLD) {
    const server = await start(kind, release);
    try {
      const { status, stderr } = serveOn(kind, server);
      const says = / is (version )?\S+: .* is needed\n$/;
      if (status !== 1 || !says.test(stderr))
        wrong.push(`${kind} of ${release}: ended with ${status} and said: ${stderr.trim()}`);
    } finally {
      await server.stop();
    }
  }
  return { wrong, tried: TOO_OLD.length };
}

function serveOn(kind, { port, user, database }) {
  const store = { STORE_DRIVER: kind, STORE_HOST: "127.0.0.1", STORE_PORT: String(port), STORE_USER: user, STORE_DB: database };
  return spawnSync(process.execPath, [join(ROOT, COORDINATOR), "serve"], {
    cwd: FOLDER,
    env: { ...process.env, HTTP_PORT: "0", GRPC_PORT: "0", ...store },
    encoding: "utf8",
    timeout: REFUSAL_MS,
  });
}

async function start(kind, release) {
  const tree = join(FOLDER, release);
  const port = await freePort();
  const data = `/var/tmp/${kind}`;
  rmSync(join(tree, data), { recursive: true, force: true });
  mkdirSync(join(tree, data), { recursive: true });
  const server = { mysql, postgres, redis }[kind](tree, data, port);
  const log = openSync(join(FOLDER, `${release}-${kind}.log`), "w");
  const child = spawn("chroot", server.command, { stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  const stop = async () => {
    process.off("exit", last);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    if ((await Promise.race([ended, pause(LEAVE_MS, "late", { ref: false })])) === "late") child.kill("SIGKILL");
    await ended;
  };
  const deadline = performance.now() + READY_MS;
  const over = () => child.exitCode !== null || child.signalCode !== null || performance.now() > deadline;
  try {
    while (!(await server.ready())) {
      if (over()) throw new Trouble(`${kind} of ${release} did not start; its log is ${join(FOLDER, `${release}-${kind}.log`)}`);
      await pause(200);
    }
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { port, ...server, stop };
}

function mysql(tree, data, port) {
  const within = (line) => spawnSync("chroot", [tree, "sh", "-c", line], { encoding: "utf8" });
  const common = `--no-defaults --user=root --datadir=${data}`;
  const made = existsSync(join(tree, "usr/bin/mariadb-install-db"))
    ? within(`mariadb-install-db --force ${common} --auth-root-authentication-method=normal`)
    : within(`/usr/sbin/mysqld ${common} --initialize-insecure`);
  if (made.status !== 0) throw new Trouble(`MySQL's tables can't be made in ${tree}`, made.stderr);
  const socket = `${data}/s.sock`;
  return {
    url: `mysql://root@127.0.0.1:${port}/mysql`,
    user: "root",
    database: "mysql",
    command: [
      ...[tree, "/usr/sbin/mysqld", ...common.split(" "), `--port=${port}`, `--socket=${socket}`],
      ...["--bind-address=127.0.0.1", "--max-connections=500", "--secure-file-priv=", "--log-bin-trust-function-creators=1"],
    ],
    ready: () => withoutNobody(port),
  };
}

/** An account without a name would stand in the way of those that tests make. False until the server answers; what it refuses is thrown. */
async function withoutNobody(port) {
  const { createConnection } = require("mysql2/promise");
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root" }).catch(() => null);
  if (connection === null) return false;
  try {
    const [nobodies] = await connection.query("SELECT host AS host FROM mysql.user WHERE user = ''");
    for (const { host } of nobodies) await connection.query("DROP USER ''@?", [host]);
    return true;
  } finally {
    connection.destroy();
  }
}

function postgres(tree, data, port) {
  const [version] = /\d+/.exec(RELEASES[tree.split("/").at(-1)].packages.find((name) => name.startsWith("postgresql"))) ?? [];
  const bin = `/usr/lib/postgresql/${version}/bin`;
  const as = ["--userspec=postgres:postgres", tree];
  spawnSync("chroot", [tree, "chown", "postgres:postgres", data]);
  // A chroot has hardly a locale, and the caller's may have none.
  const text = ["-E", "UTF8", "--locale=C"];
  const made = spawnSync("chroot", [...as, `${bin}/initdb`, "-A", "trust", "-U", "postgres", ...text, "-D", data], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Trouble(`PostgreSQL's tables can't be made in ${tree}`, made.stderr);
  const settings = [
    "listen_addresses=127.0.0.1",
    "max_connections=300",
    "max_prepared_transactions=64",
    "dynamic_shared_memory_type=mmap",
  ];
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    user: "postgres",
    database: "postgres",
    command: [
      ...as,
      `${bin}/postgres`,
      "-D",
      data,
      "-p",
      String(port),
      "-k",
      data,
      ...settings.flatMap((setting) => ["-c", setting]),
    ],
    ready: () =>
      spawnSync("chroot", [...as, `${bin}/pg_isready`, "-h", "127.0.0.1", "-p", String(port)], { stdio: "ignore" }).status === 0,
  };
}

function redis(tree, data, port) {
  return {
    url: `redis://127.0.0.1:${port}`,
    user: "",
    database: "",
    command: [
      ...[tree, "/usr/bin/redis-server", "--port", String(port), "--bind", "127.0.0.1"],
      ...["--dir", data, "--appendonly", "yes", "--appendfsync", "always"],
    ],
    ready: () => {
      const asked = spawnSync("chroot", [tree, "redis-cli", "-p", String(port), "ping"], { encoding: "utf8" });
      return asked.stdout.trim() === "PONG";
    },
  };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
