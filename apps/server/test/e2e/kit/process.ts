/** A child process of a test: its output kept and its end awaited. Whoever starts one ends it in afterAll. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const REPOSITORY = join(__dirname, "../../../../..");

const KEPT_OUTPUT = 64 * 1024;
const STOP_MS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class NodeProcess {
  readonly ended: Promise<Ended>;
  #child: ChildProcess;
  #stdout = "";
  #stderr = "";

  /** `script` is relative to the repository; `env` is added to what every program needs, so the caller's own settings stay out. */
  constructor(
    script: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
  ) {
    const path = join(REPOSITORY, script);
    if (!existsSync(path)) throw new Error(`${script} isn't built: run "npx -y pnpm@10.34.9 exec turbo run build" first`);
    const { PATH, HOME, TZ, CI } = process.env;
    this.#child = spawn(process.execPath, [path, ...args], {
      cwd: options.cwd ?? REPOSITORY,
      env: { PATH, HOME, TZ, CI, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-KEPT_OUTPUT);
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_OUTPUT);
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process never started");
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The last of what it said, for the message of a failing test. */
  get lastWords(): string {
    return `${this.#stdout}${this.#stderr}`.slice(-4_000);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9: it gets no chance to flush or to say good-bye. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Asks it to stop and waits; SIGKILL only after half a minute, or as long as given, and then the test is told. */
  async stop(withinMs = STOP_MS): Promise<Ended> {
    if (!this.running) return this.ended;
    let impatient = false;
    const impatience = setTimeout(() => {
      impatient = true;
      this.signal("SIGKILL");
    }, withinMs);
    this.signal("SIGTERM");
    const ended = await this.ended;
    clearTimeout(impatience);
    if (impatient) throw new Error(`the process didn't stop within ${withinMs / 1000} s:\n${this.lastWords}`);
    return ended;
  }
}
