/** Branch calls over gRPC (protocol.md 3.3): the stored payload is the request as it is, and of the answer only the status counts. */

import { type Outcome, outcomeFromGrpc } from "@dtm/protocol";
import { Client, type ClientUnaryCall, credentials, experimental } from "@grpc/grpc-js";
import type { GrpcAddress } from "./driver.js";
import type { Egress, Place } from "./egress.js";
import { grpcMetadata } from "./grpc-metadata.js";
import { CHECKED_SCHEME, checkedBy } from "./grpc-resolver.js";
import { IdleCache } from "./idle-cache.js";
import type { Invocation } from "./participant.js";

export interface GrpcSettings {
  readonly egress: Egress;
  /** JSON text, as the setting GrpcServiceConfig has it. */
  readonly serviceConfig: string;
  readonly targetsBound: number;
  readonly sweepMs: number;
}

interface Channel {
  readonly client: Client;
  readonly place: Place;
  readonly calls: Set<ClientUnaryCall>;
}

export class GrpcCaller {
  readonly #settings: GrpcSettings;
  readonly #channels: IdleCache<Channel>;

  constructor(settings: GrpcSettings) {
    this.#settings = settings;
    this.#channels = new IdleCache<Channel>({
      open: (target) => this.#open(target),
      isBusy: (channel) => channel.calls.size > 0,
      close: (channel) => channel.client.close(),
      bound: settings.targetsBound,
      sweepMs: settings.sweepMs,
    });
  }

  get size(): number {
    return this.#channels.size;
  }

  /** May throw only before anything was sent. */
  call({ target, method }: GrpcAddress, invocation: Invocation): Promise<Outcome> {
    const metadata = grpcMetadata(invocation);
    if ("error" in metadata) return unknown(metadata.error);
    const channel = this.#channels.get(target);
    const refusal = this.#settings.egress.refuse(channel.place);
    if (refusal !== null) return unknown(`${target}${method} not called: ${refusal}`);
    const deadline = Date.now() + invocation.timeoutMs;
    return new Promise((resolve) => {
      const call = channel.client.makeUnaryRequest(
        method,
        asBuffer,
        asIs,
        invocation.payload,
        metadata,
        { deadline },
        (error) => {
          channel.calls.delete(call);
          resolve(error === null ? outcomeFromGrpc(0, "") : outcomeFromGrpc(error.code, error.details));
        },
      );
      channel.calls.add(call);
    });
  }

  close(): void {
    for (const { client, calls } of this.#channels.close()) {
      for (const call of calls) call.cancel();
      client.close();
    }
  }

  #open(target: string): Channel {
    const path = target.startsWith("dns://") ? target.slice(target.indexOf("/", "dns://".length) + 1) : target;
    const client = new Client(`${CHECKED_SCHEME}:${path}`, credentials.createInsecure(), {
      ...checkedBy(this.#settings.egress),
      ...CHANNEL_OPTIONS,
      "grpc.service_config": this.#settings.serviceConfig,
    });
    return { client, place: placeOf(path), calls: new Set() };
  }
}

const CHANNEL_OPTIONS = {
  // A service that is back is to be found at once: the scheduler has its own back-off and probes (R13), grpc-js's would add up to two minutes.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Closing a channel closes its connections, whoever else calls the same place.
  "grpc.use_local_subchannel_pool": 1,
  // A proxy from the environment would see every call, past the egress rules; HTTP calls use none either.
  "grpc.enable_http_proxy": 0,
};

function placeOf(path: string): Place {
  const { host, port } = experimental.splitHostPort(path) ?? { host: path };
  return { scheme: "grpc", host: host.toLowerCase(), port: port ?? 443 };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function unknown(message: string): Promise<Outcome> {
  return Promise.resolve({ kind: "unknown", message });
}
