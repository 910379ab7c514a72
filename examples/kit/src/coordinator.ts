/** The coordinator of an example: the one that `DTM_SERVER` names, else one on SQLite of its own, whose data goes when the example ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const READY_MS = 120_000;
const KEPT_OUTPUT = 16 * 1024;

/**
 * An example isn't to be watched for ten seconds while it waits for the next attempt. Workflows keep theirs: the next attempt of one that
 * is slow would meet the first.
 */
const IMPATIENT = Object.fromEntries(["SAGA", "TCC", "XA", "MSG"].map((type) => [`TYPES_${type}_RETRY_INTERVAL`, "1"]));

export interface Coordinator {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startCoordinator(): Promise<Coordinator> {
  const given = process.env["DTM_SERVER"] ?? "";
  if (given !== "") return { url: given, stop: async () => undefined };
  const main = join(dirname(createRequire(import.meta.url).resolve("@dtm/server/package.json")), "bin/dtm.js");
  const folder = await mkdtemp(join(tmpdir(), "dtm-example-"));
  const [http, grpc] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [main, "serve"], {
    env: {
      ...process.env,
      STORE_DRIVER: "sqlite",
      DATA_DIR: folder,
      HTTP_PORT: String(http),
      GRPC_PORT: String(grpc),
      LOG_LEVEL: "warn",
      ...IMPATIENT,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C is for the example, which ends the coordinator last.
    detached: true,
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    await end(child);
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${http}`;
  try {
    await ready(child, `${url}/api/ping`);
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { url, stop };
}

async function ready(child: ChildProcess, ping: string): Promise<void> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-KEPT_OUTPUT);
    });
  }
  const deadline = performance.now() + READY_MS;
  while (!(await answers(ping))) {
    if (hasEnded(child)) throw new Error(`the coordinator ended at its start:\n${output}`);
    if (performance.now() > deadline) throw new Error(`the coordinator doesn't answer at ${ping}:\n${output}`);
    await pause(50);
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** A port that nobody holds now: the coordinator is told its ports by settings. */
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
