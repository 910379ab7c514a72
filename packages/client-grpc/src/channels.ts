/** gRPC channels, one per target, and one unary call over them. The answer is a value: what a code means is decided elsewhere. */

import { type CallLimits, clientClosed, onAbort } from "@dtm/client-core/internal";
import type { TlsOptions } from "@dtm/client-http";
import { DtmError } from "@dtm/protocol";
import {
  type ChannelCredentials,
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

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
};

export class Channels {
  readonly #credentials: ChannelCredentials;
  readonly #clients = new Map<string, Client>();
  readonly #underWay = new Set<ClientUnaryCall>();
  readonly #closing = new AbortController();

  /** @param tls - Absent: plain connections. */
  constructor(tls: TlsOptions | undefined) {
    this.#credentials = tls === undefined ? credentials.createInsecure() : credentialsOf(tls);
  }

  /** @throws DtmError CLIENT_CLOSED. */
  async unary({ target, path, request, metadata }: UnaryCall, limits: CallLimits): Promise<UnaryAnswer> {
    const client = this.#client(target);
    const sent = metadataOf(metadata);
    const { signal, timeoutMs, patient } = limits;
    const options = { deadline: Date.now() + timeoutMs };
    if (patient === true) {
      // Without a connection the call is made all the same: its error says why there is none, and it has half the time for that.
      await connected(client, Math.min(LONGEST_WAIT_MS, timeoutMs / 2), [signal, this.#closing.signal]);
      if (this.#closing.signal.aborted)
        return { kind: "status", code: status.CANCELLED, details: "the client was closed", cause: undefined };
    }
    return new Promise((resolve) => {
      const call = client.makeUnaryRequest(path, toBuffer, toBuffer, request, sent, options, (error, bytes) => {
        stop();
        this.#underWay.delete(call);
        resolve(error === null ? { kind: "ok", bytes: bytes ?? Buffer.alloc(0) } : failed(error));
      });
      this.#underWay.add(call);
      const stop = onAbort(signal, () => call.cancel());
    });
  }

  close(): void {
    this.#closing.abort();
    // A closed channel lets them finish.
    for (const call of this.#underWay) call.cancel();
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #client(target: string): Client {
    if (this.#closing.signal.aborted) throw clientClosed();
    const known = this.#clients.get(target);
    if (known !== undefined) return known;
    const client = new Client(target, this.#credentials, CHANNEL_OPTIONS);
    this.#clients.set(target, client);
    return client;
  }
}

/**
 * Resolves when there is a connection, and else after `waitMs`. Until the channel's back-off is over, a call that doesn't wait fails by the error
 * that was met before it: all the tries of one request can be used up while the coordinator is back already.
 */
function connected(client: Client, waitMs: number, endings: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const stops = endings.map((signal) => onAbort(signal, resolve));
    client.waitForReady(Date.now() + waitMs, () => {
      for (const stop of stops) stop();
      resolve();
    });
  });
}

function failed(error: ServiceError): UnaryAnswer {
  const code = typeof error.code === "number" ? error.code : status.UNKNOWN;
  return { kind: "status", code, details: error.details, cause: error };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
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
