/** The real coordinator: `apps/server/bin/dtm.js serve` in a process of its own, on free ports and a folder of the test's. */
import { mkdirSync } from "node:fs";
import { freePort } from "./free-port.js";
import { type Ended, NodeProcess } from "./process.js";
import { until } from "./until.js";

export interface ServerOptions {
  readonly dataDir: string;
  /** More settings, by their environment names. */
  readonly env?: Readonly<Record<string, string>>;
}

// Registered when the test file is read: a server may be started inside a test, where hooks are too late.
const started = new Set<Server>();
afterAll(() => Promise.all([...started].map((server) => server.kill())));

export class Server {
  readonly #options: ServerOptions;
  readonly #httpPort: number;
  readonly #grpcPort: number;
  #process: NodeProcess | null = null;

  private constructor(options: ServerOptions, ports: { readonly http: number; readonly grpc: number }) {
    this.#options = options;
    this.#httpPort = ports.http;
    this.#grpcPort = ports.grpc;
  }

  /** Resolves when it answers. It ends with the test file at the latest. */
  static async start(options: ServerOptions): Promise<Server> {
    mkdirSync(options.dataDir, { recursive: true });
    const server = new Server(options, { http: await freePort(), grpc: await freePort() });
    started.add(server);
    await server.restart();
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#httpPort}`;
  }

  /** What SDKs call the server's address. */
  get api(): string {
    return `${this.origin}/api/dtmsvr`;
  }

  get grpcTarget(): string {
    return `127.0.0.1:${this.#grpcPort}`;
  }

  get pid(): number {
    return this.#running().pid;
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  get lastWords(): string {
    return this.#process?.lastWords ?? "";
  }

  /** After `kill` or `stop`: the same ports, the same data. */
  async restart(): Promise<void> {
    if (this.running) throw new Error("the server is still running");
    const child = new NodeProcess("apps/server/bin/dtm.js", ["serve"], {
      cwd: this.#options.dataDir,
      env: {
        STORE_DRIVER: "sqlite",
        DATA_DIR: this.#options.dataDir,
        HTTP_PORT: String(this.#httpPort),
        GRPC_PORT: String(this.#grpcPort),
        LOG_LEVEL: "warn",
        ...this.#options.env,
      },
    });
    this.#process = child;
    await until(
      `the server answers /api/ping. It said:\n${child.lastWords}`,
      async () => {
        if (!child.running) throw new Error(`the server ended at its start:\n${child.lastWords}`);
        return (await answers(`${this.origin}/api/ping`)) ? true : undefined;
      },
      { withinMs: 120_000, everyMs: 20 },
    );
  }

  /** SIGSTOP: it stands still as a whole, its sockets open. SIGCONT: it goes on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#running().signal(signal);
  }

  async kill(): Promise<void> {
    if (this.running) await this.#process?.kill();
  }

  async stop(withinMs?: number): Promise<Ended> {
    return this.#running().stop(withinMs);
  }

  #running(): NodeProcess {
    if (this.#process === null) throw new Error("the server was never started");
    return this.#process;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).status === 200;
  } catch {
    return false;
  }
}
