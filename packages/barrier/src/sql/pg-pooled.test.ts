import { EventEmitter } from "node:events";
import { pooled } from "./pg-pooled.js";

class Client extends EventEmitter {}

/** As pg's own: new clients are told of, and lost ones told to whoever listens. */
class Pool extends EventEmitter {
  constructor(
    private readonly client: Client,
    private readonly isNew = true,
  ) {
    super();
  }

  async connect(): Promise<Client> {
    if (this.isNew) this.emit("connect", this.client);
    // The bytes behind those that made it ready are read in the same turn.
    if (this.isNew) this.client.emit("error", new Error("terminating connection due to unexpected postmaster exit"));
    return this.client;
  }
}

test("a client that is lost as the pool hands it out ends no process", async () => {
  const client = new Client();
  expect(await pooled(new Pool(client))).toBe(client);
});

test.each([true, false])("listeners don't add up, whether or not a client was there before: %p", async (isNew) => {
  const client = new Client();
  const pool = new Pool(client, isNew);
  for (let times = 0; times < 20; times++) await pooled(pool);
  expect(client.listenerCount("error")).toBe(1);
  expect(pool.listenerCount("connect")).toBe(1);
});

test("a pool that is wrapped, and tells of no client, gives its clients and its refusals", async () => {
  const client = new Client();
  expect(await pooled({ connect: async () => client })).toBe(client);
  const cause = new Error("no connection");
  await expect(pooled({ connect: () => Promise.reject(cause) })).rejects.toBe(cause);
});
