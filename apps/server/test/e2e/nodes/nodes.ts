/** Two coordinators over one store, and what may befall them. Customers reach one that is up, as behind a load balancer. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Answer, DtmClient } from "../kit/dtm-client.js";
import type { Random } from "../kit/random.js";
import { Server } from "../kit/server.js";

const NAMES = ["A", "B"] as const;
/** A stop waits for calls in flight; what has no answer by then is called again (R18), and on a starved machine answers are slow. */
const GRACE_MS = 60_000;

export interface NodesOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly random: Random;
  /** Modules of this folder that go with each coordinator. */
  readonly preload: readonly string[];
}

export class Node {
  readonly client: DtmClient;
  /** Takes requests. */
  up = true;
  readonly pids: number[];

  private constructor(
    readonly name: string,
    readonly server: Server,
    private readonly logFile: string,
  ) {
    this.client = new DtmClient(server.api);
    this.pids = [server.pid];
  }

  static async start(name: string, { folder, env, preload }: NodesOptions): Promise<Node> {
    const logFile = join(folder, `${name}.log`);
    const imports = preload.map((module) => `--import=${pathToFileURL(join(__dirname, module)).href}`);
    const server = await Server.start({
      dataDir: join(folder, name),
      env: { ...env, GRACE_MS: String(GRACE_MS), LOG_OUTPUTS: `stderr,${logFile}`, NODE_OPTIONS: imports.join(" ") },
    });
    return new Node(name, server, logFile);
  }

  /** Of all its processes. */
  get log(): readonly string[] {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8").split("\n") : [];
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.up = false;
    await this.server.kill();
  }

  async restart(): Promise<void> {
    await this.server.restart();
    this.pids.push(this.server.pid);
    this.up = true;
  }

  /** SIGTERM; fails when that isn't the end it should be. */
  async stop(): Promise<void> {
    this.up = false;
    const { code, signal } = await this.server.stop(GRACE_MS + 30_000);
    if (code !== 0) throw new Error(`node ${this.name} ended with ${code ?? signal}:\n${this.server.lastWords}`);
  }

  freeze(): void {
    this.up = false;
    this.server.signal("SIGSTOP");
  }

  async thaw(): Promise<void> {
    this.server.signal("SIGCONT");
    await fetch(`${this.server.origin}/api/ping`);
    this.up = true;
  }
}

export class Nodes {
  readonly #random: Random;

  private constructor(
    readonly all: readonly [Node, Node],
    random: Random,
  ) {
    this.#random = random;
  }

  static async start(options: NodesOptions): Promise<Nodes> {
    const [a, b] = await Promise.all(NAMES.map((name) => Node.start(name, options)));
    if (a === undefined || b === undefined) throw new Error("two nodes are needed");
    return new Nodes([a, b], options.random);
  }

  any(): Node {
    return this.#random.pick(this.all);
  }

  /** Any that takes requests. */
  get reachable(): Node {
    const picked = this.any();
    return picked.up ? picked : (this.all.find(({ up }) => up) ?? picked);
  }

  post(operation: string, body: object): Promise<Answer> {
    return this.reachable.client.post(operation, body);
  }

  get log(): readonly string[] {
    return this.all.flatMap((node) => node.log);
  }

  get lastWords(): string {
    return this.all.map(({ name, server }) => `node ${name} said:\n${server.lastWords}`).join("\n");
  }

  async kill(): Promise<void> {
    await Promise.all(this.all.map((node) => node.kill()));
  }
}
