/** The two coordinators that every call is tried on: ours, and dtm (Go) where Go is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.js";

const REPOSITORY = join(__dirname, "../../../..");
const KEPT_OUTPUT = 64 * 1024;

const children = new Set<ChildProcess>();
const folders: string[] = [];
afterAll(async () => {
  await Promise.all([...children].map(end));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await closed;
}

export interface Coordinator {
  readonly name: "ours" | "dtm";
  /** Without a path. */
  readonly http: string;
  readonly grpc: string;
  /** Ends its process as `kill -9` does. */
  stop(): Promise<void>;
  /** Starts it again after that, on its data and its ports. */
  again(): Promise<void>;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dtm-client-"));
  folders.push(folder);
  return folder;
}

/** A port that nobody holds now: the coordinators are told theirs by settings. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** `env`: more settings, by their environment names. */
export async function startOurs(env: Readonly<Record<string, string>> = {}): Promise<Coordinator> {
  const main = join(REPOSITORY, "apps/server/bin/dtm.js");
  if (!existsSync(main)) throw new Error("apps/server isn't built: run the build first");
  const cwd = temporaryFolder();
  const settings = { STORE_DRIVER: "sqlite", DATA_DIR: cwd, LOG_LEVEL: "warn", ...env };
  return start("ours", process.execPath, [main, "serve"], { cwd, env: settings });
}

export async function startDtm(binary: string): Promise<Coordinator> {
  return start("dtm", binary, [], { cwd: temporaryFolder(), env: { LOG_LEVEL: "error" } });
}

async function start(
  name: Coordinator["name"],
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Coordinator> {
  const [http, grpc] = [await freePort(), await freePort()];
  const { PATH, HOME, TZ } = process.env;
  let child = await launch();
  const scheme = env["TLS_CERT_FILE"] === undefined ? "http" : "https";
  return {
    name,
    http: `${scheme}://127.0.0.1:${http}`,
    grpc: `127.0.0.1:${grpc}`,
    stop: () => end(child),
    again: async () => {
      child = await launch();
    },
  };

  async function launch(): Promise<ChildProcess> {
    const child = spawn(program, args, {
      cwd,
      env: { PATH, HOME, TZ, HTTP_PORT: String(http), GRPC_PORT: String(grpc), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-KEPT_OUTPUT);
      });
    }
    await until(`${name} listens`, async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended at its start:\n${output}`);
      return (await accepts(http)) && (await accepts(grpc)) ? true : undefined;
    });
    return child;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

const BUILD = `
  import { buildDtm, dtmBinary } from "./bench/lib/dtm-build.mjs";
  await buildDtm((line) => console.error(line));
  console.log(dtmBinary);`;

/** dtm's binary, built once into the git-ignored cache (the first time takes minutes); null where Go is missing. */
export async function dtmBinary(): Promise<string | null> {
  if (spawnSync("go", ["version"]).status !== 0) return null;
  const child = spawn(process.execPath, ["--input-type=module", "-e", BUILD], {
    cwd: REPOSITORY,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`dtm could not be built (${String(code)})`);
  return output.trim();
}

/** Named as not run, never skipped in silence; in CI a failure. */
export function notRun(line: string): void {
  const file = process.env["NOT_RUN_FILE"] ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
  expect(process.env["CI"] === "true" ? line : "").toBe("");
}
