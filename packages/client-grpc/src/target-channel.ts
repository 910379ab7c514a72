/** The channel to one target, and when it is given up for a new one. */

import { type Client, type ClientUnaryCall, connectivityState, type Metadata, type ServiceError, status } from "@grpc/grpc-js";

export interface TargetRequest {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Uint8Array;
  readonly metadata: Metadata;
  /** In milliseconds since 1970, as gRPC has it. */
  readonly deadline: number;
}

type Answered = (error: ServiceError | null, bytes: Buffer | undefined) => void;

interface Line {
  readonly client: Client;
  /** When a call first found it connected; 0: never. */
  readyAt: number;
  readonly calls: Set<ClientUnaryCall>;
  heardAt: number;
}

/** A call that its caller gives up sooner says nothing of the connection. */
const LONG_MS = 1_000;

/**
 * A connection can be lost without a word, as behind a load balancer that failed over; grpc-js would keep to it for ever. It looks the same as a
 * service that hangs, so nothing is cut: when a call ended unanswered and no other was answered since it began, the calls that follow get a new
 * channel, and those under way end on the old one.
 */
export class TargetChannel {
  readonly #open: () => Client;
  readonly #former = new Set<Line>();
  #line: Line | undefined;

  /** @param open - May throw for a target that is none, and is first called here. */
  constructor(open: () => Client) {
    this.#open = open;
    this.#line = lineOf(open());
  }

  /** What the next call goes over. */
  get client(): Client {
    return this.#current().client;
  }

  unary({ path, request, metadata, deadline }: TargetRequest, done: Answered): ClientUnaryCall {
    const line = this.#current();
    const begunAt = performance.now();
    // A deadline that passed while the connection was being made says nothing of it, and giving it up would start that anew each time.
    const wasReady = line.client.getChannel().getConnectivityState(false) === connectivityState.READY;
    if (wasReady && line.readyAt === 0) line.readyAt = begunAt;
    const call = line.client.makeUnaryRequest(path, toBuffer, toBuffer, request, metadata, { deadline }, (error, bytes) => {
      line.calls.delete(call);
      const isHasty = error?.code === status.CANCELLED && performance.now() - begunAt < LONG_MS;
      if (error === null || !isUnanswered(error)) line.heardAt = performance.now();
      else if (wasReady && !isHasty && line.heardAt < begunAt) this.#giveUp(line);
      if (line.calls.size === 0 && this.#former.delete(line)) line.client.close();
      done(error, bytes);
    });
    line.calls.add(call);
    return call;
  }

  close(): void {
    const lines = [...this.#former, ...(this.#line === undefined ? [] : [this.#line])];
    this.#former.clear();
    this.#line = undefined;
    for (const { client, calls } of lines) {
      // A closed channel lets them finish.
      for (const call of calls) call.cancel();
      client.close();
    }
  }

  #current(): Line {
    this.#line ??= lineOf(this.#open());
    return this.#line;
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

/** Ended here. A service may answer with these codes too, as for a call of its own; but any answer has a content type at least. */
function isUnanswered({ code, metadata }: ServiceError): boolean {
  const isOurs = code === status.DEADLINE_EXCEEDED || code === status.CANCELLED;
  return isOurs && Object.keys(metadata.getMap()).length === 0;
}

function lineOf(client: Client): Line {
  return { client, readyAt: 0, calls: new Set(), heardAt: 0 };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
