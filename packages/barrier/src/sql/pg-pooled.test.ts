import { EventEmitter } from "node:events";
import { pooled, released } from "./pg-pooled.js";

class Client extends EventEmitter {
  release = jest.fn();
}

test("a client that is lost as the pool hands it out ends no process", async () => {
  const client = new Client();
  const pool = {
    connect(given: (cause: unknown, client: Client) => void) {
      given(undefined, client);
      // The bytes behind those that made it ready are read in the same turn.
      client.emit("error", new Error("terminating connection due to unexpected postmaster exit"));
    },
  };
  expect(await pooled(pool)).toBe(client);
  released(client, true);
  expect(client.release).toHaveBeenCalledWith(true);
  expect(client.listenerCount("error")).toBe(0);
});

test("a pool that gives none is asked no further", async () => {
  const cause = new Error("timeout exceeded when trying to connect");
  await expect(pooled({ connect: (given: (cause: unknown) => void) => given(cause) })).rejects.toBe(cause);
});

test("a pool that knows promises only gives its client, or its refusal", async () => {
  const client = new Client();
  expect(await pooled({ connect: async () => client })).toBe(client);
  expect(client.listenerCount("error")).toBe(1);
  const cause = new Error("no connection");
  await expect(pooled({ connect: () => Promise.reject(cause) })).rejects.toBe(cause);
});
