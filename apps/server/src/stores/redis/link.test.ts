import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { Link, NotConnected, pause } from "./link.js";

/** A Redis that refuses connections until it is up. */
function redisThat(isUp: () => boolean, refuse: () => Promise<void> = () => Promise.reject(new Error("refused"))): Redis {
  const redis = Object.assign(new EventEmitter(), {
    connect: async () => {
      if (!isUp()) await refuse();
    },
    disconnect: () => undefined,
    callBuffer: async () => "PONG",
    stream: { cork: () => undefined, uncork: () => undefined },
  });
  return redis as unknown as Redis;
}

test("who asks between two tries to connect is refused, and leaves nothing behind that would refuse others later", async () => {
  let up = false;
  const link = new Link(() => redisThat(() => up));
  // The second one comes at once, so within the pause after the first.
  const refusals: unknown[] = [];
  for (let times = 0; times < 2; times++) await link.send([["PING"]]).catch((cause: unknown) => refusals.push(cause));
  expect(refusals).toEqual([expect.any(NotConnected), expect.any(NotConnected)]);
  up = true;
  await pause(50);
  await expect(link.send([["PING"]])).resolves.toEqual(["PONG"]);
  expect(link.awaySince).toBeNull();
});

test("a connection that is never answered is given up, and the next one serves", async () => {
  let up = false;
  const silence = new Promise<never>(() => undefined);
  const opened = jest.fn(() =>
    redisThat(
      () => up,
      () => silence,
    ),
  );
  const link = new Link(opened);
  const began = performance.now();
  await expect(link.send([["PING"]])).rejects.toThrow("no answer within 5000 ms");
  // Who comes later doesn't wait as long again.
  await expect(link.send([["PING"]])).rejects.toThrow(NotConnected);
  expect(performance.now() - began).toBeLessThan(6_500);
  up = true;
  await pause(600);
  await link.send([["PING"]]).catch(() => undefined);
  await pause(5_000);
  await expect(link.send([["PING"]])).resolves.toEqual(["PONG"]);
  expect(link.awaySince).toBeNull();
}, 30_000);
