/** The channel to one target, and when it is given up for a new one. */

import { type Client, type ClientUnaryCall, connectivityState, type Metadata, type ServiceError, status } from "@grpc/grpc-js";

export interface GrpcRequest {
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly payload: Uint8Array;
  readonly metadata: Metadata;
  readonly timeoutMs: number;
}

interface Line {
  readonly client: Client;
  /** When a call first found it connected; 0: never. */
  readyAt: number;
  readonly calls: Set<ClientUnaryCall>;
  /** When each peer last answered: a name may stand for several, and one can fall silent alone. */
  readonly heardAt: Map<string, number>;
}

/**
 * A connection can be lost without a word, as behind a load balancer that failed over; grpc-js would keep to it for ever. It looks the same as a
 * service that hangs, so nothing is cut: when a call ended at its deadline and its peer answered no call since it began, the calls that follow get
 * a new channel, and those under way end on the old one.
 */
export class GrpcChannel {
  readonly #open: () => Client;
  readonly #former = new Set<Line>();
  #line: Line | undefined;

  /** @param open - May throw for a target that is none, and is first called here. */
  constructor(open: () => Client) {
    this.#open = open;
    this.#line = lineOf(open());
  }

  get isBusy(): boolean {
    return this.#former.size > 0 || (this.#line !== undefined && this.#line.calls.size > 0);
  }

  /** May throw only before anything was sent. */
  call({ method, payload, metadata, timeoutMs }: GrpcRequest, done: (error: ServiceError | null) => void): void {
    this.#line ??= lineOf(this.#open());
    const line = this.#line;
    const begunAt = performance.now();
    // A deadline that passed while the connection was being made says nothing of it, and giving it up would start that anew each time.
    const wasReady = line.client.getChannel().getConnectivityState(false) === connectivityState.READY;
    if (wasReady && line.readyAt === 0) line.readyAt = begunAt;
    const options = { deadline: Date.now() + timeoutMs };
    const call = line.client.makeUnaryRequest(method, asBuffer, asIs, payload, metadata, options, (error) => {
      line.calls.delete(call);
      const peer = call.getPeer();
      if (error === null || !isUnanswered(error)) line.heardAt.set(peer, performance.now());
      else if (wasReady && (line.heardAt.get(peer) ?? 0) < begunAt) this.#giveUp(line);
      if (line.calls.size === 0 && this.#former.delete(line)) line.client.close();
      done(error);
    });
    line.calls.add(call);
  }

  close(): void {
    const lines = [...this.#former, ...(this.#line === undefined ? [] : [this.#line])];
    this.#former.clear();
    this.#line = undefined;
    for (const { client, calls } of lines) {
      for (const call of calls) call.cancel();
      client.close();
    }
  }

  /**
   * A connection is given a second, since the first call on it may have had little time left; and a service that hangs on calls with long
   * deadlines keeps each former one open, so every one of those doubles the wait.
   */
  #giveUp(line: Line): void {
    const waitMs = 1_000 * 2 ** this.#former.size;
    if (line !== this.#line || performance.now() - line.readyAt < waitMs) return;
    this.#line = undefined;
    this.#former.add(line);
  }
}

/** A service may answer with this code too, as for a call of its own; but any answer has a content type at least. */
function isUnanswered({ code, metadata }: ServiceError): boolean {
  return code === status.DEADLINE_EXCEEDED && Object.keys(metadata.getMap()).length === 0;
}

function lineOf(client: Client): Line {
  return { client, readyAt: 0, calls: new Set(), heardAt: new Map() };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
