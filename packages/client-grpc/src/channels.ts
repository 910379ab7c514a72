/** gRPC channels, one per target, and one unary call over them. The answer is a value: what a code means is decided elsewhere. */

import { type CallLimits, clientClosed, onAbort } from "@dtm/client-core/internal";
import type { TlsOptions } from "@dtm/client-http";
import { DtmError } from "@dtm/protocol";
import {
  type ChannelCredentials,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { TargetChannel } from "./target-channel.js";

export interface UnaryCall {
  /** `host:port`. */
  readonly target: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

export type UnaryAnswer =
  | { readonly kind: "ok"; readonly bytes: Buffer }
  | { readonly kind: "status"; readonly code: number; readonly details: string; readonly cause: unknown };

const LARGEST_ANSWER = 64 * 1024 * 1024;

/**
 * How long a connection is waited for: longer than the longest back-off with its jitter of a fifth, so by then a coordinator that is back has
 * been dialled again.
 */
const LONGEST_WAIT_MS = 1_500;

const CHANNEL_OPTIONS = {
  // A coordinator that restarts is back before grpc-js' first second of back-off is over.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_receive_message_length": LARGEST_ANSWER,
  // Who repeats a try can't know whether it was carried out. A host's owner could ask for it by a service config in DNS.
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  // A proxy from the environment would see every payload.
  "grpc.enable_http_proxy": 0,
  // A new channel is to open a connection of its own.
  "grpc.use_local_subchannel_pool": 1,
};

export class Channels {
  readonly #credentials: ChannelCredentials;
  readonly #targets = new Map<string, TargetChannel>();
  readonly #closing = new AbortController();

  /** @param tls - Absent: plain connections. */
  constructor(tls: TlsOptions | undefined) {
    this.#credentials = tls === undefined ? credentials.createInsecure() : credentialsOf(tls);
  }

  /** @throws DtmError CLIENT_CLOSED. */
  async unary({ target, path, request, metadata }: UnaryCall, limits: CallLimits): Promise<UnaryAnswer> {
    const channel = this.#channel(target);
    const sent = metadataOf(metadata);
    const { signal, timeoutMs, patient } = limits;
    const deadline = Date.now() + timeoutMs;
    if (patient === true) {
      // Without a connection the call is made all the same: its error says why there is none, and it has half the time for that.
      await connected(channel.client, Math.min(LONGEST_WAIT_MS, timeoutMs / 2), [signal, this.#closing.signal]);
      if (this.#closing.signal.aborted)
        return { kind: "status", code: status.CANCELLED, details: "the client was closed", cause: undefined };
    }
    return new Promise((resolve) => {
      const call = channel.unary({ path, request, metadata: sent, deadline }, (error, bytes) => {
        stop();
        resolve(error === null ? { kind: "ok", bytes: bytes ?? Buffer.alloc(0) } : failed(error));
      });
      const stop = onAbort(signal, () => call.cancel());
    });
  }

  close(): void {
    this.#closing.abort();
    for (const channel of this.#targets.values()) channel.close();
    this.#targets.clear();
  }

  #channel(target: string): TargetChannel {
    if (this.#closing.signal.aborted) throw clientClosed();
    const known = this.#targets.get(target);
    if (known !== undefined) return known;
    const channel = new TargetChannel(() => new Client(target, this.#credentials, CHANNEL_OPTIONS));
    this.#targets.set(target, channel);
    return channel;
  }
}

/**
 * Resolves when there is a connection, and else after `waitMs`. Until the channel's back-off is over, a call that doesn't wait fails by the error
 * that was met before it: all the tries of one request can be used up while the coordinator is back already.
 */
function connected(client: Client, waitMs: number, endings: readonly (AbortSignal | undefined)[]): Promise<void> {
  const channel = client.getChannel();
  const until = Date.now() + waitMs;
  return new Promise((resolve) => {
    const stops = endings.map((signal) => onAbort(signal, resolve));
    const look = (timeUp?: Error): void => {
      const state = channel.getConnectivityState(false);
      if (timeUp === undefined && state !== connectivityState.READY && state !== connectivityState.SHUTDOWN) {
        channel.watchConnectivityState(state, until, look);
        // Only here: a closed channel would dial too, as it does for waitForReady(), and hold the process.
        channel.getConnectivityState(true);
        return;
      }
      for (const stop of stops) stop();
      resolve();
    };
    look();
  });
}

function failed(error: ServiceError): UnaryAnswer {
  const code = typeof error.code === "number" ? error.code : status.UNKNOWN;
  return { kind: "status", code, details: error.details, cause: error };
}

function metadataOf(entries: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  try {
    for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  } catch (cause) {
    const message = `metadata: expected ASCII texts, found otherwise in ${Object.keys(entries).join(", ")}`;
    throw new DtmError("OPTION_INVALID", message, { cause });
  }
  return metadata;
}

function credentialsOf({ ca, cert, key, rejectUnauthorized }: TlsOptions): ChannelCredentials {
  const verify = rejectUnauthorized === undefined ? {} : { rejectUnauthorized };
  return credentials.createSsl(pem(ca), pem(key), pem(cert), verify);
}

function pem(text: string | Buffer | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
