/** Starts one server on free ports in a fresh folder, waits until it answers, and takes it down again. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { CACHE } from "./paths.mjs";
import { WireClient } from "./wire.mjs";

const MEMORY_FILE_SYSTEMS = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
]);
const STARTUP_MS = 180_000;
const STOP_MS = 15_000;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A fresh folder on a real disk: an fsync into memory would flatter whoever syncs most. */
export function freshFolder(parent = join(CACHE, "bench-data")) {
  mkdirSync(parent, { recursive: true });
  const kind = MEMORY_FILE_SYSTEMS.get(statfsSync(parent).type);
  if (kind !== undefined)
    throw new Error(`${parent} lies on ${kind}, where a sync costs nothing: name another folder with --temp`);
  return mkdtempSync(join(parent, "run-"));
}

async function answersPing(port) {
  const client = new WireClient({ port, connections: 1 });
  try {
    return (await client.get("/api/ping")).status === 200;
  } catch {
    return false;
  } finally {
    client.close();
  }
}

/** `peer.launch` gives the command (see `peers.mjs`). The handle's `restart` keeps folder and ports. */
export async function startServer(peer, { store, temp, nodeFlags = [] }) {
  const folder = freshFolder(temp);
  const httpPort = await freePort();
  const grpcPort = await freePort();
  const environment = await peer.environment({ store, folder, httpPort, grpcPort });
  let child = null;
  let output = "";

  async function start() {
    const { command, args } = peer.launch({ nodeFlags, folder });
    const started = performance.now();
    const { PATH, HOME, TZ } = process.env;
    child = spawn(command, args, { cwd: folder, env: { PATH, HOME, TZ, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
    const keepTail = (chunk) => {
      output = (output + chunk).slice(-4_000);
    };
    child.stdout.on("data", keepTail);
    child.stderr.on("data", keepTail);
    child.on("error", keepTail);
    while (!(await answersPing(httpPort))) {
      if (child.exitCode !== null || child.pid === undefined) throw new Error(`${peer.label} ended at start:\n${output}`);
      if (performance.now() - started > STARTUP_MS) {
        await stop();
        throw new Error(`${peer.label} did not answer /api/ping within ${STARTUP_MS / 1000} s:\n${output}`);
      }
      await pause(20);
    }
    return performance.now() - started;
  }

  function stop(signal = "SIGTERM") {
    const ending = child;
    if (ending === null || ending.pid === undefined || ending.exitCode !== null || ending.signalCode !== null)
      return Promise.resolve();
    return new Promise((resolve) => {
      const impatience = setTimeout(() => ending.kill("SIGKILL"), STOP_MS);
      ending.on("exit", () => {
        clearTimeout(impatience);
        resolve();
      });
      ending.kill(signal);
    });
  }

  function discard() {
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    const readyMs = await start();
    return {
      get pid() {
        return child.pid;
      },
      get output() {
        return output;
      },
      label: peer.label,
      port: httpPort,
      folder,
      environment,
      readyMs,
      stop,
      kill: () => stop("SIGKILL"),
      restart: start,
      async dispose() {
        await stop();
        discard();
      },
    };
  } catch (cause) {
    await stop("SIGKILL");
    discard();
    throw cause;
  }
}
