/** A database server of the test's own, which may be killed and started again on its data: a child with scripts/lib/services.mjs has it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

interface Said {
  readonly id?: number;
  readonly url?: string;
  readonly missing?: boolean;
  readonly error?: string;
}

const started = new Set<OwnService>();
afterAll(() => Promise.all([...started].map((service) => service.stop())));

export class OwnService {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (said: Said) => void>();
  #orders = 0;

  private constructor(
    child: ChildProcess,
    readonly url: string,
  ) {
    this.#child = child;
    child.on("message", (said: Said) => {
      if (said.id !== undefined) this.#waiting.get(said.id)?.(said);
    });
    child.on("exit", () => {
      for (const answer of this.#waiting.values()) answer({ error: "the database server's keeper is gone" });
    });
  }

  /** Null: there is no such server on this machine. */
  static async start(name: string, options: object = {}): Promise<OwnService | null> {
    // Whoever runs jest may have given its own process options that mean nothing here.
    const child = fork(join(__dirname, "keeper.mjs"), [name, JSON.stringify(options)], { execArgv: [] });
    const [said] = (await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => [{ error: `the keeper of ${name} ended` }]),
    ])) as [Said];
    if (said.url === undefined) {
      if (child.connected) child.disconnect();
      if (said.error !== undefined) throw new Error(said.error);
      return null;
    }
    const service = new OwnService(child, said.url);
    started.add(service);
    return service;
  }

  get ports(): readonly number[] {
    return [...this.url.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  }

  /** SIGKILL. */
  kill(port: number): Promise<void> {
    return this.#order("kill", port);
  }

  /** Resolves when it is ready again, on the data that it left. */
  restart(port: number): Promise<void> {
    return this.#order("start", port);
  }

  async stop(): Promise<void> {
    started.delete(this);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }

  async #order(work: "kill" | "start", port: number): Promise<void> {
    const id = ++this.#orders;
    const said = await new Promise<Said>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, work, port });
    });
    this.#waiting.delete(id);
    if (said.error !== undefined) throw new Error(said.error);
  }
}
