/** Whose map of the Cluster is taken, when its nodes don't agree. */
import type { Redis } from "ioredis";
import type { RedisAddress } from "./address.js";
import { Keys } from "./keys.js";
import { pause } from "./link.js";
import { Topology } from "./topology.js";

/** What each node tells, by its port. */
const maps = new Map<number, unknown>();

jest.mock("./address.js", () => ({
  connectionTo: (_: unknown, { port }: { readonly port: number }): Redis => {
    const redis = {
      on: () => redis,
      connect: async () => undefined,
      disconnect: () => undefined,
      call: async () => maps.get(port),
    };
    return redis as unknown as Redis;
  },
}));

const HERE = "127.0.0.1";
const ADDRESS = { hosts: [1, 2, 3].map((port) => ({ host: HERE, port })) } as unknown as RedisAddress;

/** Three masters; a fourth node has taken the place of one, or of none. */
function mapWithout(lost: number): unknown {
  const [first, second, third] = [1, 2, 3].map((port) => (port === lost ? 4 : port));
  return [
    [0, 5000, [HERE, first]],
    [5001, 10_000, [HERE, second]],
    [10_001, 16_383, [HERE, third]],
  ];
}

test("a master that was cut off tells that nothing has changed: who doubts it asks the others first", async () => {
  for (const port of [1, 2, 3]) maps.set(port, mapWithout(0));
  const topology = new Topology(ADDRESS, new Keys("dtm"));
  await topology.useCluster();
  const cutOff = topology.nodeOf(0);
  for (const port of [1, 2, 3]) if (`${HERE}:${port}` !== cutOff) maps.set(port, mapWithout(Number(cutOff.split(":")[1])));
  await pause(150);
  await topology.refresh(new Set([cutOff]));
  expect(topology.nodeOf(0)).toBe(`${HERE}:4`);

  // When it is the only one that answers, its word is better than none.
  for (const port of maps.keys()) if (`${HERE}:${port}` !== cutOff) maps.set(port, null);
  await pause(150);
  await topology.refresh(new Set([cutOff]));
  expect(topology.nodeOf(0)).toBe(cutOff);
});
