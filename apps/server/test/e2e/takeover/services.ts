/**
 * What the transactions of the take-over call: a payer's and a payee's service with books and barriers (protocol.md 6.2), and the
 * application of a workflow. While they are sick they answer as each transaction's script says; well, they do what they are asked.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { DtmClient } from "../kit/dtm-client.js";

/** "02 action": a branch and an operation. */
export type Part = string;

export interface Script {
  readonly type: string;
  readonly amount: number;
  /** The status that these get while the services are sick. 425 comes before the work; 500 after it, as when an answer is lost. */
  readonly sick: Readonly<Record<Part, 425 | 500>>;
  /** These get a 409, sick or well. */
  readonly refused: readonly Part[];
  /** msg: what query-prepared is told. */
  readonly sent: boolean;
}

export interface Call {
  readonly gid: string;
  readonly part: Part;
  readonly at: number;
}

export interface Books {
  readonly payer: number;
  readonly payee: number;
}

interface Asked {
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
}

const UNDOES: Readonly<Record<string, string>> = { compensate: "action", cancel: "try", rollback: "action" };

/** What an operation moves: forwards, backwards, or nothing yet. */
const MOVES: Readonly<Record<string, Readonly<Record<string, 1 | -1>>>> = {
  saga: { action: 1, compensate: -1 },
  workflow: { action: 1, rollback: -1 },
  msg: { msg: 1, action: 1 },
  tcc: { confirm: 1 },
  xa: { commit: 1 },
};

export class Services {
  sick = true;
  readonly calls: Call[] = [];
  readonly problems: string[] = [];
  readonly #server: Server;
  readonly #scripts = new Map<string, Script>();
  /** By gid and branch: the operations done, or shut out by their undo. */
  readonly #done = new Map<string, Set<string>>();
  /** Net effects by gid and side. */
  readonly #effects = new Map<string, number>();
  readonly #running = new Map<string, Promise<number>>();
  #books: Books = { payer: 0, payee: 0 };
  #coordinator: DtmClient | null = null;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Services> {
    const server = createServer();
    const services = new Services(server);
    server.on("request", (request, response) => {
      void services.#answer(request).then((status) => {
        const result = status === 200 ? "SUCCESS" : status === 409 ? "FAILURE" : status === 425 ? "ONGOING" : "";
        response.writeHead(status, { "content-type": "application/json" });
        response.end(result === "" ? '{"message":"not well"}' : JSON.stringify({ dtm_result: result }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return services;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get books(): Books {
    return this.#books;
  }

  /** Whom the workflow's application speaks to. */
  set coordinator(client: DtmClient) {
    this.#coordinator = client;
  }

  script(gid: string, script: Script): void {
    this.#scripts.set(gid, script);
  }

  payload(gid: string): string {
    return JSON.stringify({ gid, amount: this.#scripted(gid).amount });
  }

  called(gid: string): boolean {
    return this.calls.some((call) => call.gid === gid);
  }

  /** How often the payer paid, and the payee was paid. */
  effects(gid: string): readonly [debits: number, credits: number] {
    return [this.#effects.get(`${gid} payer`) ?? 0, this.#effects.get(`${gid} payee`) ?? 0];
  }

  /** At most once for each operation; an undo that comes first shuts out what it undoes. */
  act({ gid, branchId, op }: Asked): void {
    const { type, amount } = this.#scripted(gid);
    const key = `${gid} ${branchId}`;
    const done = this.#done.get(key) ?? new Set();
    this.#done.set(key, done);
    if (done.has(op)) return;
    const origin = UNDOES[op];
    const early = origin !== undefined && !done.has(origin);
    done.add(op);
    if (early) {
      done.add(origin);
      return;
    }
    if ((done.has("confirm") && done.has("cancel")) || (done.has("commit") && done.has("rollback")))
      this.problems.push(`${key} was carried out and undone`);
    const move = MOVES[type]?.[op] ?? 0;
    const pays = branchId === "00" || (type !== "msg" && branchId === "01");
    const side = `${gid} ${pays ? "payer" : "payee"}`;
    this.#effects.set(side, (this.#effects.get(side) ?? 0) + move);
    const { payer, payee } = this.#books;
    this.#books = pays ? { payer: payer - move * amount, payee } : { payer, payee: payee + move * amount };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<number> {
    try {
      const url = new URL(request.url ?? "/", this.url);
      const said = (name: string): string => url.searchParams.get(name) ?? "";
      const asked = { gid: said("gid"), branchId: said("branch_id"), op: said("op") };
      const body = await read(request);
      const part = `${asked.branchId} ${asked.op}`;
      this.calls.push({ gid: asked.gid, part, at: Date.now() });
      if (url.pathname === "/asked") return this.#scripted(asked.gid).sent ? 200 : 409;
      if (url.pathname === "/workflow") return await this.#recalled(asked.gid);
      return this.#branch(asked, { part, body });
    } catch (cause) {
      this.problems.push(`${request.url}: ${String(cause)}`);
      return 500;
    }
  }

  #branch(asked: Asked, { part, body }: { readonly part: Part; readonly body: string }): number {
    const { gid } = asked;
    const { type, refused, sick } = this.#scripted(gid);
    if (type !== "xa" && body !== this.payload(gid)) this.problems.push(`${gid} ${part} came with the body ${body}`);
    if (refused.includes(part)) return 409;
    const status = this.sick ? (sick[part] ?? 200) : 200;
    if (status !== 425) this.act(asked);
    return status;
  }

  /** The application is asked to go on with a workflow; two recalls of one never run side by side. */
  async #recalled(gid: string): Promise<number> {
    if (this.sick) return 500;
    const running = this.#running.get(gid) ?? this.#goOn(gid);
    this.#running.set(gid, running);
    try {
      return await running;
    } finally {
      this.#running.delete(gid);
    }
  }

  /** As an SDK does (protocol.md 6.6): what is recorded isn't done again. */
  async #goOn(gid: string): Promise<number> {
    const client = this.#coordinator;
    if (client === null) return 500;
    const prepared = await client.post("prepareWorkflow", workflowBody(gid, this));
    const { transaction, progresses } = prepared.body as {
      readonly transaction: { readonly status: string };
      readonly progresses: readonly { readonly branch_id: string; readonly op: string }[];
    };
    if (prepared.status !== 200 || transaction.status !== "prepared") return prepared.status;
    const known = new Set(progresses.map(({ branch_id, op }) => `${branch_id} ${op}`));
    const fails = this.#scripted(gid).refused.length > 0;
    const parts: readonly (readonly [string, string, string])[] = fails
      ? [
          ["01", "action", "succeed"],
          ["02", "action", "failed"],
          ["01", "rollback", "succeed"],
        ]
      : [
          ["01", "action", "succeed"],
          ["02", "action", "succeed"],
        ];
    for (const [branchId, op, status] of parts) {
      if (known.has(`${branchId} ${op}`)) continue;
      if (status === "succeed") this.act({ gid, branchId, op });
      const answer = await client.registerBranch({
        gid,
        trans_type: "workflow",
        branch_id: branchId,
        op,
        status,
        data: "done",
        sync: "1",
      });
      if (answer.status !== 200) return 500;
    }
    const end = { status: fails ? "failed" : "succeed", rollback_reason: fails ? "refused" : "", result: "" };
    return (await client.submit({ gid, trans_type: "workflow", req_extra: end })).status;
  }

  #scripted(gid: string): Script {
    const script = this.#scripts.get(gid);
    if (script === undefined) throw new Error(`nobody knows ${gid}`);
    return script;
  }
}

export function workflowBody(gid: string, services: Pick<Services, "url">): object {
  return {
    gid,
    trans_type: "workflow",
    protocol: "http",
    query_prepared: `${services.url}/workflow`,
    custom_data: JSON.stringify({ name: "pay", data: Buffer.from(gid).toString("base64") }),
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
