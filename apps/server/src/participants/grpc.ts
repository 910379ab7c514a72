/** Branch calls over gRPC (protocol.md 3.3): the stored payload is the request as it is, and of the answer only the status counts. */

import { type Outcome, outcomeFromGrpc } from "@dtm/protocol";
import { Client, credentials, experimental } from "@grpc/grpc-js";
import type { GrpcAddress } from "./driver.js";
import type { Egress, Place } from "./egress.js";
import { GrpcChannel } from "./grpc-channel.js";
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

interface Destination {
  readonly channel: GrpcChannel;
  readonly place: Place;
}

export class GrpcCaller {
  readonly #settings: GrpcSettings;
  readonly #destinations: IdleCache<Destination>;

  constructor(settings: GrpcSettings) {
    this.#settings = settings;
    this.#destinations = new IdleCache<Destination>({
      open: (target) => this.#destination(target),
      isBusy: ({ channel }) => channel.isBusy,
      close: ({ channel }) => channel.close(),
      bound: settings.targetsBound,
      sweepMs: settings.sweepMs,
    });
  }

  get size(): number {
    return this.#destinations.size;
  }

  /** May throw only before anything was sent. */
  call({ target, method }: GrpcAddress, invocation: Invocation): Promise<Outcome> {
    const metadata = grpcMetadata(invocation);
    if ("error" in metadata) return unknown(metadata.error);
    const { channel, place } = this.#destinations.get(target);
    const refusal = this.#settings.egress.refuse(place);
    if (refusal !== null) return unknown(`${target}${method} not called: ${refusal}`);
    const { payload, timeoutMs } = invocation;
    return new Promise((resolve) => {
      channel.call({ method, payload, metadata, timeoutMs }, (error) => {
        resolve(error === null ? outcomeFromGrpc(0, "") : outcomeFromGrpc(error.code, error.details));
      });
    });
  }

  close(): void {
    for (const { channel } of this.#destinations.close()) channel.close();
  }

  #destination(target: string): Destination {
    const path = target.startsWith("dns://") ? target.slice(target.indexOf("/", "dns://".length) + 1) : target;
    return { channel: new GrpcChannel(() => this.#open(path)), place: placeOf(path) };
  }

  #open(path: string): Client {
    return new Client(`${CHECKED_SCHEME}:${path}`, credentials.createInsecure(), {
      ...checkedBy(this.#settings.egress),
      ...CHANNEL_OPTIONS,
      "grpc.service_config": this.#settings.serviceConfig,
    });
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

function unknown(message: string): Promise<Outcome> {
  return Promise.resolve({ kind: "unknown", message });
}
