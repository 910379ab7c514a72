/**
 * A client out of a pool of `pg`. The pool stops listening for its loss as it hands it out, and whoever awaits `connect()` begins a turn later: a server
 * that ends the connection in between would end the process. So each client is listened to, once and for its whole life, from its beginning.
 */

interface PgLosable {
  on?(event: "error", listener: () => void): unknown;
}

interface PgPool<Client> {
  connect(): Promise<Client>;
  on?(event: "connect", listener: (client: PgLosable) => void): unknown;
}

/** The pools and clients that we listen to. */
const known = new WeakSet<object>();

export async function pooled<Client extends PgLosable>(pool: PgPool<Client>): Promise<Client> {
  if (isNew(pool)) pool.on?.("connect", listen);
  const client = await pool.connect();
  // It may be older than our acquaintance with its pool.
  listen(client);
  return client;
}

function listen(client: PgLosable): void {
  // A loss is told by the next query's error.
  if (isNew(client)) client.on?.("error", () => undefined);
}

function isNew(one: object): boolean {
  if (known.has(one)) return false;
  known.add(one);
  return true;
}
