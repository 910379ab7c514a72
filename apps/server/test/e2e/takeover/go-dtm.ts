/** The real dtm, built from its Go module into the git-ignored cache, as the benchmarks build it (bench/lib/dtm-build.mjs). */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { cutShort } from "../../kit/cut-short.js";
import { DtmClient } from "../kit/dtm-client.js";
import { freePort } from "../kit/free-port.js";
import { REPOSITORY } from "../kit/process.js";
import { until } from "../kit/until.js";

const KEPT_OUTPUT = 64 * 1024;
const MISSING = "take-over beside the real dtm: Go (1.22 or newer) isn't installed";

/** R33: where no Go is, these tests are named as not run; CI says so too, and doesn't fail. */
export function besideDtm(tests: () => void): void {
  if (spawnSync("go", ["version"]).status === 0) return tests();
  const file = process.env["NOT_RUN_FILE"] ?? "";
  test("Go is installed", () => {
    if (process.env["CI"] === "true") cutShort(MISSING);
    else if (file !== "") appendFileSync(file, `${MISSING}\n`);
  });
}

export interface DtmBuild {
  readonly binary: string;
  /** dtm's own table scripts, which it doesn't run by itself. */
  readonly sqlFolder: string;
}

const BUILD = `
  import { buildDtm, dtmBinary, dtmSqlFolder } from "./bench/lib/dtm-build.mjs";
  await buildDtm((line) => console.error(line));
  console.log(JSON.stringify({ binary: dtmBinary, sqlFolder: await dtmSqlFolder() }));`;

/** The first time takes minutes. */
export async function buildDtm(): Promise<DtmBuild> {
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
  if (code !== 0) throw new Error(`dtm could not be built (${code})`);
  return JSON.parse(output) as DtmBuild;
}

// Registered when the test file is read: one may be started inside a test, where hooks are too late.
const started = new Set<GoDtm>();
afterAll(() => Promise.all([...started].map((dtm) => dtm.kill())));

export class GoDtm {
  /** Ends with /api/dtmsvr. */
  readonly api: string;
  readonly client: DtmClient;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";

  private constructor(child: ChildProcess, httpPort: number) {
    this.#child = child;
    this.api = `http://127.0.0.1:${httpPort}/api/dtmsvr`;
    this.client = new DtmClient(this.api);
    this.#ended = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("close", () => resolve());
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  /** Resolves when it answers. */
  static async start(
    binary: string,
    { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ): Promise<GoDtm> {
    const [http, grpc] = [await freePort(), await freePort()];
    const { PATH, HOME, TZ } = process.env;
    const child = spawn(binary, [], {
      cwd,
      env: { PATH, HOME, TZ, LOG_LEVEL: "error", HTTP_PORT: String(http), GRPC_PORT: String(grpc), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const dtm = new GoDtm(child, http);
    started.add(dtm);
    await until(
      "dtm answers /api/ping",
      async () => {
        if (!dtm.#running) throw new Error(`dtm ended at its start:\n${dtm.lastWords}`);
        const answer = await fetch(`http://127.0.0.1:${http}/api/ping`).catch(() => null);
        return answer?.status === 200 ? true : undefined;
      },
      { withinMs: 120_000 },
    );
    return dtm;
  }

  get lastWords(): string {
    return this.#output.slice(-4_000);
  }

  async kill(): Promise<void> {
    if (this.#running) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  get #running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
}
