/**
 * Stands between the coordinators and the banks, and writes down each call of a branch: when it came, when it was answered, and who began
 * it (name-calls.mjs). It can hold calls of one node, so that they are still under way when that node is killed or stopped.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Service } from "../crash/customer.js";
import type { Bank } from "../kit/bank.js";
import { branchOf, type Call } from "./overlaps.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const started = new Set<Server>();
afterAll(() => {
  for (const server of started) {
    server.closeAllConnections();
    server.close();
  }
});

/** Calls of one process that get no answer until they are let go: every other one has not reached its bank yet, the rest have done their work there. */
export class Held {
  readonly calls: Call[] = [];
  readonly gate: Promise<void>;
  #open = (): void => undefined;

  constructor(
    readonly pid: number,
    readonly count: number,
  ) {
    this.gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  get full(): boolean {
    return this.calls.length >= this.count;
  }

  release(): void {
    this.#open();
  }
}

export class Recorder {
  readonly calls: Call[] = [];
  readonly #banks: Readonly<Record<"a" | "b", Bank>>;
  readonly #server: Server;
  #held: Held | null = null;
  #underWay = 0;

  private constructor(banks: Readonly<Record<"a" | "b", Bank>>) {
    this.#banks = banks;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((cause: unknown) => response.writeHead(502).end(String(cause)));
    });
    // Longer than any client keeps an idle connection, so none meets one that is just being closed.
    this.#server.keepAliveTimeout = 120_000;
    started.add(this.#server);
  }

  static async start(banks: Readonly<Record<"a" | "b", Bank>>): Promise<Recorder> {
    const recorder = new Recorder(banks);
    await new Promise<void>((resolve) => recorder.#server.listen(0, "127.0.0.1", resolve));
    return recorder;
  }

  /** A bank whose branches are called through here; what customers do there themselves isn't recorded. */
  service(name: "a" | "b"): Service {
    const bank = this.#banks[name];
    const { port } = this.#server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/${name}`, call: (path, branch, body) => bank.call(path, branch, body) };
  }

  /** Calls that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  hold(pid: number, count: number): Held {
    this.#held = new Held(pid, count);
    return this.#held;
  }

  /** Calls of held branches by somebody who began them later. */
  repeatsOf({ calls }: Held): readonly Call[] {
    const branches = new Map(calls.map((call) => [branchOf(call), call]));
    return this.calls.filter((call) => {
      const held = branches.get(branchOf(call));
      return held !== undefined && held !== call && call.start > held.start;
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = Date.now();
    const { pathname, searchParams } = new URL(request.url ?? "", "http://here");
    const asked = (name: string): string => searchParams.get(name) ?? "";
    const [pid, begunAt] = String(request.headers["x-begun-by"]).split(" ").map(Number);
    if (pid === undefined || begunAt === undefined) throw new Error("nobody says who began this call");
    const call: Writable<Call> = {
      gid: asked("gid"),
      branchId: asked("branch_id"),
      op: asked("op"),
      pid,
      begunAt,
      start,
      end: Number.POSITIVE_INFINITY,
      status: null,
    };
    this.calls.push(call);
    this.#underWay++;
    const body = await text(request);
    const held = this.#holds(call);
    if (held?.before === true) await held.gate;
    const bank = pathname.startsWith("/a/") ? this.#banks.a : this.#banks.b;
    const answer = await fetch(`${bank.url}${(request.url ?? "").slice(2)}`, {
      method: request.method ?? "POST",
      ...(request.method === "GET" ? {} : { headers: { "content-type": "application/json" }, body }),
    });
    const said = await answer.text();
    if (held?.before === false) await held.gate;
    call.end = Date.now();
    call.status = answer.status;
    this.#underWay--;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(said);
  }

  #holds(call: Call): { readonly before: boolean; readonly gate: Promise<void> } | null {
    const held = this.#held;
    if (held === null || held.full || held.pid !== call.pid) return null;
    held.calls.push(call);
    return { before: held.calls.length % 2 === 0, gate: held.gate };
  }
}
