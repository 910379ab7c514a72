/** A whole coordinator behind a real HTTP socket: memory store, scripted services, virtual time; and a client that sends exactly what it is told. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { buildCore, type Core } from "../../src/core.js";
import type { Coordinator, Log, TopicRegistry } from "../../src/engine/coordinator.js";
import { VirtualClock } from "../../src/engine/virtual-clock.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import { Topics } from "../../src/topics/registry.js";
import type { AccessSettings } from "../../src/transports/http/access.js";
import { HttpListener, type HttpListenerParts } from "../../src/transports/http/listener.js";
import { ScriptedParticipants } from "../kit/scripted-participants.js";
import { settingsWith, type TestNodeOptions } from "../kit/test-node.js";

/** A busy machine is no failure; this only ends a wait in vain. */
jest.setTimeout(60_000);

/** Every story is told twice: the hot routes answered by the front, and all of them by Express. */
export const PATHS = [
  { path: "the node:http front", useFront: true },
  { path: "plain Express", useFront: false },
] as const;

export const LOCAL: AccessSettings = { host: "127.0.0.1", authToken: "", allowInsecure: "none", allowedHosts: [] };

export type WireOptions = Partial<
  Pick<HttpListenerParts, "access" | "checks" | "mounts" | "useFront" | "metricsText" | "tls"> & {
    readonly coordinator: (real: Coordinator) => Coordinator;
    readonly clock: VirtualClock;
  }
> &
  Pick<TestNodeOptions, "settings" | "types">;

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Sent {
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
}

export class WireServer {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly participants: ScriptedParticipants;
  /** `api ok` or `api fail`, as the metric counts. */
  readonly served: string[] = [];
  readonly logged: string[] = [];
  readonly core: Core;
  readonly topics: TopicRegistry;
  readonly listener: HttpListener;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(options: WireOptions = {}) {
    const clock = options.clock ?? new VirtualClock();
    const store = new MemoryStore({ now: () => clock.now() });
    this.clock = clock;
    this.store = store;
    this.participants = new ScriptedParticipants(clock);
    const log = this.#log();
    const topics = new Topics({ store, clock, log, refreshMs: 60_000 });
    const telemetry = {
      served: (_type: string, api: string, failed: boolean) => void this.served.push(`${api} ${failed ? "fail" : "ok"}`),
      drove: () => undefined,
      called: () => undefined,
    };
    this.topics = topics;
    this.core = buildCore({
      store,
      participants: this.participants,
      topics,
      clock,
      settings: settingsWith(options),
      log,
      telemetry,
      alert: () => undefined,
      random: () => 0,
      newEpoch: () => "wire",
    });
    const { coordinator } = this.core;
    this.listener = new HttpListener({
      access: LOCAL,
      metricsText: async () => "dtm_server_info 1\n",
      checks: [{ name: "store", check: () => store.ping() }],
      ...options,
      coordinator: options.coordinator?.(coordinator) ?? coordinator,
      topics,
      telemetry,
      log,
      port: 0,
      version: "v1.2.3",
    });
  }

  static async started(options: WireOptions = {}): Promise<WireServer> {
    const server = new WireServer(options);
    await server.core.start();
    await server.listener.start();
    return server;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.listener.stop(AbortSignal.abort());
    await this.core.stop(AbortSignal.abort());
  }

  /** A text goes out as it is, anything else as JSON. */
  post(path: string, body: unknown, sent: Sent = {}): Promise<Reply> {
    return this.send("POST", path, typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body), sent);
  }

  get(path: string, sent: Sent = {}): Promise<Reply> {
    return this.send("GET", path, null, sent);
  }

  /** Without a base: `submit` is `/api/dtmsvr/submit`. */
  send(method: string, path: string, body: string | Buffer | null, { headers, agent }: Sent = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const outgoing = request({
        host: "127.0.0.1",
        port: this.listener.port,
        method,
        path: /^(\/|http:)/.test(path) ? path : `/api/dtmsvr/${path}`,
        agent: agent ?? this.#agent,
        headers: { ...lengthOf(body, headers), ...headers },
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      outgoing.end(body ?? undefined);
    });
  }

  /** All that is stored, to show that a refused request changed nothing. */
  async everything(): Promise<unknown> {
    const { transactions } = await this.store.list({ limit: 100_000 });
    const loaded = await Promise.all(transactions.map(({ gid }) => this.store.find(gid)));
    return { loaded, keys: await this.store.findKeys({ cat: "", key: "" }) };
  }

  async status(gid: string): Promise<string | null> {
    return (await this.store.find(gid))?.transaction.status ?? null;
  }

  /** `01 action http://a prepared` per row, in order of creation. */
  async rows(gid: string): Promise<string[]> {
    const loaded = await this.store.find(gid);
    return (loaded?.branches ?? []).map(({ branchId, op, url, status }) => `${branchId} ${op} ${url} ${status}`);
  }

  #log(): Log {
    const at =
      (level: string) =>
      (_fields: object, event: string): void =>
        void this.logged.push(`${level} ${event}`);
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }
}

function lengthOf(body: string | Buffer | null, headers: Record<string, string> = {}): Record<string, string> {
  return body === null || "Transfer-Encoding" in headers ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
}

/** Waits for a condition by letting other work go on; the test's own timeout ends a wait in vain. */
export async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await claim())) await new Promise((resolve) => setImmediate(resolve));
}

export function parsed(reply: Reply): unknown {
  return JSON.parse(reply.text);
}

export const DONE = { status: 200, text: '{"dtm_result":"SUCCESS"}' };

export function failure(message: string) {
  return { status: 409, text: JSON.stringify({ dtm_result: "FAILURE", message }) };
}

export function problem(message: string, status = 500) {
  return { status, text: JSON.stringify({ message }) };
}
