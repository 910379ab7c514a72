/** The example bank, one process per bank: real services with real barriers, for tests of the whole. */
import { NodeProcess } from "./process.js";
import { until } from "./until.js";

export interface Account {
  readonly id: string;
  readonly balance: number;
  readonly held: number;
  readonly incoming: number;
  readonly frozen: boolean;
}

const started = new Set<NodeProcess>();
afterAll(() => Promise.all([...started].filter((child) => child.running).map((child) => child.kill())));

export class Bank {
  readonly url: string;
  readonly #process: NodeProcess;

  private constructor(url: string, child: NodeProcess) {
    this.url = url;
    this.#process = child;
  }

  /** `latencyMs`: how much longer each answer takes. Default 0. */
  static async start(name: "a" | "b", dataDir: string, options: { readonly latencyMs?: number } = {}): Promise<Bank> {
    const child = new NodeProcess("examples/bank/dist/main.js", [name], {
      env: {
        BANK_DATA_DIR: dataDir,
        [`BANK_${name.toUpperCase()}_PORT`]: "0",
        BANK_LATENCY_MS: String(options.latencyMs ?? 0),
      },
    });
    started.add(child);
    const url = await until(
      `bank ${name} listens`,
      async () => {
        if (!child.running) throw new Error(`bank ${name} ended at its start:\n${child.lastWords}`);
        return /listening on (http:\S+)/.exec(child.stdout)?.[1];
      },
      { withinMs: 120_000, everyMs: 20 },
    );
    return new Bank(url, child);
  }

  async open(id: string, account: { readonly balance: number; readonly frozen?: boolean }): Promise<void> {
    const answer = await fetch(`${this.url}/accounts/${id}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(account),
    });
    if (!answer.ok) throw new Error(`opening ${id}: ${answer.status} ${await answer.text()}`);
  }

  async accounts(): Promise<readonly Account[]> {
    return (await (await fetch(`${this.url}/accounts`)).json()) as readonly Account[];
  }

  /** A branch call by a client (protocol.md 6.1): tcc try, or the local part of a message. */
  async call(
    path: string,
    branch: { readonly gid: string; readonly branchId: string; readonly type: string; readonly op: string },
    body: unknown,
  ): Promise<number> {
    const query = new URLSearchParams({ gid: branch.gid, branch_id: branch.branchId, trans_type: branch.type, op: branch.op });
    const answer = await fetch(`${this.url}${path}?${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
