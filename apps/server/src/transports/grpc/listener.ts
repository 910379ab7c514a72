/** The gRPC port: from `start` it answers, at `stop` it takes no new call and lets those under way end. */
import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Service, StartError } from "../../service.js";
import { type AccessSettings, accessRules } from "../http/access.js";
import { Companions } from "./companions.js";
import { DtmService, type DtmServiceParts } from "./service.js";

export interface GrpcListenerParts extends Omit<DtmServiceParts, "rules"> {
  /** `host` is also the address listened on. */
  readonly access: AccessSettings;
  /** 0 = any free one; `listener.port` tells which. */
  readonly port: number;
  /** PEM texts; plaintext when absent. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** R17, and grpc-go's own limit. */
const RECEIVE_LIMIT = 4 * 1024 * 1024;
/** For the last answers to reach their callers after the deadline. */
const LAST_WORDS_MS = 250;

export class GrpcListener implements Service {
  readonly name = "grpc";
  // Channelz stays on: without it grpc-js 1.14 forgets its sessions, and forceShutdown leaves them open.
  readonly #server = new Server({ "grpc.max_receive_message_length": RECEIVE_LIMIT });
  readonly #service: DtmService;
  readonly #companions = new Companions();
  #port = 0;

  constructor(private readonly parts: GrpcListenerParts) {
    const rules = accessRules(parts.access);
    this.#service = new DtmService({ ...parts, rules });
    this.#service.addTo(this.#server);
    this.#companions.addTo(this.#server, rules);
  }

  /** The port it listens on, once started. */
  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { access, port, log, tls } = this.parts;
    const { host } = access;
    try {
      this.#port = await this.#bind(await addressOf(host), port);
    } catch (cause) {
      throw new StartError(`gRPC can't listen on ${host}:${port}: ${whyNot(cause)}`, { cause });
    }
    log.info({ host, port: this.#port, tls: tls !== undefined }, "grpc listens");
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#companions.stop();
    const shut = new Promise<"shut">((resolve) => this.#server.tryShutdown(() => resolve("shut")));
    if ((await Promise.race([shut, aborted(deadline)])) === "shut") return;
    this.#service.leave();
    await Promise.race([shut, aborted(AbortSignal.timeout(LAST_WORDS_MS))]);
    this.#server.forceShutdown();
  }

  #bind(address: string, port: number): Promise<number> {
    const target = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(target, this.#credentials(), (cause, bound) => (cause === null ? resolve(bound) : reject(cause)));
    });
  }

  #credentials(): ServerCredentials {
    const { tls } = this.parts;
    if (tls === undefined) return ServerCredentials.createInsecure();
    return ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The one address that node's HTTP would listen on: given a name, grpc-js takes all and is content when one of them is free. */
async function addressOf(host: string): Promise<string> {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  return (await lookup(bare)).address;
}

function whyNot(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (text.includes("EADDRINUSE")) return "the port is in use; end what uses it or set GrpcPort (GRPC_PORT)";
  if (text.includes("EACCES")) return "this user may not use the port; set GrpcPort (GRPC_PORT) above 1023";
  if (text.includes("EADDRNOTAVAIL") || text.includes("ENOTFOUND")) return "Host is not an address of this machine";
  return text;
}
