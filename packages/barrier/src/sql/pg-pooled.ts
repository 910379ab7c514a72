/**
 * A client out of a pool of `pg`. The pool stops listening for its loss as it hands it out, and whoever awaits `connect()` begins a turn later: a server
 * that ends the connection in between would end the process. So it is asked by a callback, which listens at once.
 */

export interface PgReleased {
  release(destroy?: boolean): unknown;
  on?(event: "error", listener: () => void): unknown;
  off?(event: "error", listener: () => void): unknown;
}

type Given<Client> = (cause: unknown, client: Client | undefined) => void;

/** A loss is told by the next query's error. */
const lost = (): void => undefined;

export function pooled<Client extends PgReleased>(pool: unknown): Promise<Client> {
  return new Promise((resolve, reject) => {
    const taken = (client: Client): void => {
      client.on?.("error", lost);
      resolve(client);
    };
    const given: Given<Client> = (cause, client) => (client === undefined ? reject(cause) : taken(client));
    // Of a pool that was wrapped by somebody who knows promises only, the promise counts.
    const promised = (pool as { connect(given: Given<Client>): Promise<Client> | undefined }).connect(given);
    promised?.then(taken, reject);
  });
}

export function released(client: PgReleased, destroy?: boolean): void {
  try {
    // The pool listens again before we stop.
    client.release(destroy);
  } finally {
    client.off?.("error", lost);
  }
}
