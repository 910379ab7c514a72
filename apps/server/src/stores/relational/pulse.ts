/**
 * A connection of its own for what must wait behind nothing: the heartbeat (rules.md R2). Readers may hold all of the pool and a lane may
 * wait for a lock, and a node that is well would be declared dead. It is opened when it is first needed, and again after it was lost.
 */
import type { Millis } from "../../engine/transaction.js";
import { endsConnection, type Trouble } from "./database.js";
import { within } from "./line.js";
import { repeated } from "./reading.js";

export interface Wire<Query> {
  readonly db: Query;
  /** Ends the connection without a word. */
  cut(): void;
  close(): Promise<void>;
}

export interface PulseParts<Query> {
  readonly connect: () => Promise<Wire<Query>>;
  readonly troubleOf: (cause: unknown) => Trouble;
}

/** Several beats have to fit into a lease, so that one that is lost doesn't end it. */
const BEATS_IN_A_LEASE = 3;
const LEAST_MS = 1_000;

export function answerLimit(leaseMs: Millis): Millis {
  return Math.max(LEAST_MS, leaseMs / BEATS_IN_A_LEASE);
}

export class Pulse<Query> {
  readonly #parts: PulseParts<Query>;
  #wire: Promise<Wire<Query>> | null = null;

  constructor(parts: PulseParts<Query>) {
    this.#parts = parts;
  }

  /** Repeated on another connection when one is lost; rejects with StoreUnavailable when there is no answer for `limitMs`. */
  ask<T>(work: (db: Query) => Promise<T>, limitMs: Millis): Promise<T> {
    const deadline = performance.now() + limitMs;
    return repeated(() => this.#once(work, deadline), this.#parts.troubleOf, limitMs);
  }

  async close(): Promise<void> {
    const wire = this.#wire;
    this.#wire = null;
    // One that can't be closed in order is closed already.
    await wire?.then((open) => open.close()).catch(() => undefined);
  }

  async #once<T>(work: (db: Query) => Promise<T>, deadline: number): Promise<T> {
    const wire = this.#wire ?? this.#open();
    try {
      return await within(
        deadline,
        wire.then(({ db }) => work(db)),
      );
    } catch (cause) {
      if (endsConnection(this.#parts.troubleOf(cause))) this.#drop(wire);
      throw cause;
    }
  }

  #open(): Promise<Wire<Query>> {
    const wire = this.#parts.connect();
    this.#wire = wire;
    // Whatever refused it may be over at the next beat.
    wire.catch(() => this.#forget(wire));
    return wire;
  }

  #forget(wire: Promise<Wire<Query>>): void {
    if (this.#wire === wire) this.#wire = null;
  }

  #drop(wire: Promise<Wire<Query>>): void {
    this.#forget(wire);
    // It may be on its way still.
    wire.then(
      (open) => open.cut(),
      () => undefined,
    );
  }
}
