/** The gRPC port in front of a real coordinator on the memory store, in virtual time, and a client that sends bare bytes to it. */
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status as Status,
} from "@grpc/grpc-js";
import { buildCore, type Core } from "../../src/core.js";
import type { Log } from "../../src/engine/coordinator.js";
import type { Loaded } from "../../src/engine/transaction.js";
import { VirtualClock } from "../../src/engine/virtual-clock.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import { Topics } from "../../src/topics/registry.js";
import { GrpcListener } from "../../src/transports/grpc/listener.js";
import type { AccessSettings } from "../../src/transports/http/access.js";
import { ScriptedParticipants } from "./scripted-participants.js";
import { settingsWith } from "./test-node.js";

export class GrpcNode {
  readonly clock = new VirtualClock();
  readonly store = new MemoryStore({ now: () => this.clock.now() });
  readonly participants = new ScriptedParticipants(this.clock);
  readonly logged: { readonly level: string; readonly event: string; readonly fields: object }[] = [];
  readonly served: string[] = [];
  readonly topics: Topics;
  readonly core: Core;
  readonly listener: GrpcListener;
  readonly #clients: RawClient[] = [];

  constructor(access: Partial<AccessSettings> = {}) {
    const log = this.#log();
    const { clock, store } = this;
    const telemetry = {
      served: (type: string, api: string, failed: boolean) => this.served.push(`${type} ${api}${failed ? " failed" : ""}`),
      drove: () => undefined,
      called: () => undefined,
    };
    this.topics = new Topics({ store, clock, log, refreshMs: 3_000 });
    let epochs = 0;
    this.core = buildCore({
      store,
      participants: this.participants,
      topics: this.topics,
      clock,
      settings: settingsWith({}),
      log,
      telemetry,
      alert: () => undefined,
      random: () => 0,
      newEpoch: () => `node.${++epochs}`,
    });
    this.listener = new GrpcListener({
      coordinator: this.core.coordinator,
      topics: this.topics,
      telemetry,
      log,
      access: { host: "127.0.0.1", authToken: "", allowInsecure: "none", allowedHosts: [], ...access },
      port: 0,
    });
  }

  static async started(access: Partial<AccessSettings> = {}): Promise<GrpcNode> {
    const node = new GrpcNode(access);
    await node.core.start();
    await node.topics.start();
    await node.listener.start();
    return node;
  }

  client(token?: string): RawClient {
    const client = new RawClient(this.listener.port, token);
    this.#clients.push(client);
    return client;
  }

  stored(gid: string): Loaded {
    const loaded = this.store.peek(gid);
    if (loaded === null) throw new Error(`${gid} is not stored`);
    return loaded;
  }

  /** `01 action succeed` per row. */
  rows(gid: string): string[] {
    return this.stored(gid).branches.map(({ branchId, op, status }) => `${branchId} ${op} ${status}`);
  }

  /** Looks again in real time, since requests travel over a socket; jest's own limit ends a claim that never comes true. */
  async until(claim: () => boolean): Promise<void> {
    while (!claim()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async stop(deadline: AbortSignal = new AbortController().signal): Promise<void> {
    for (const client of this.#clients) client.close();
    this.core.beginStop();
    await this.listener.stop(deadline);
    await this.topics.stop();
    await this.core.stop(AbortSignal.abort());
  }

  #log(): Log {
    const at = (level: string) => (fields: object, event: string) => {
      this.logged.push({ level, event, fields });
    };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }
}

/** What a caller got. Never rejects: a refusal is an answer like any other. */
export interface RawAnswer {
  readonly code: number;
  readonly message: string;
  readonly reply: Buffer;
}

export class RawClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(port: number, token?: string) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      // Each client has a connection of its own, so that no test meets another one's closing channel.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": -1,
    });
    if (token !== undefined) this.#metadata.set("authorization", `Bearer ${token}`);
  }

  /** A method of dtmgimp.Dtm. */
  dtm(method: string, request: Buffer = Buffer.alloc(0)): Promise<RawAnswer> {
    return this.ask(`/dtmgimp.Dtm/${method}`, request);
  }

  ask(path: string, request: Buffer, options: CallOptions = {}, metadata = this.#metadata): Promise<RawAnswer> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(path, asBytes, asBytes, request, metadata, options, (cause, reply) =>
        resolve(cause === null ? { code: Status.OK, message: "", reply: reply ?? Buffer.alloc(0) } : refused(cause)),
      );
    });
  }

  /** Gives up as soon as `when` resolves. */
  abandon(path: string, request: Buffer, when: Promise<unknown>): Promise<RawAnswer> {
    return new Promise((resolve) => {
      const call = this.#client.makeUnaryRequest(path, asBytes, asBytes, request, this.#metadata, (cause) =>
        resolve(cause === null ? { code: Status.OK, message: "", reply: Buffer.alloc(0) } : refused(cause)),
      );
      void when.then(() => call.cancel());
    });
  }

  watch(path: string, request: Buffer): ClientReadableStream<Buffer> {
    return this.#client.makeServerStreamRequest(path, asBytes, asBytes, request, this.#metadata);
  }

  stream(path: string): ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(path, asBytes, asBytes, this.#metadata);
  }

  close(): void {
    this.#client.close();
  }
}

function refused(cause: ServiceError): RawAnswer {
  return { code: cause.code, message: cause.details, reply: Buffer.alloc(0) };
}

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}
