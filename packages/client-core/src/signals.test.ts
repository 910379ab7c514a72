import { getEventListeners } from "node:events";
import { Deadline, realTime, underClock } from "./deadline.js";
import { onAbort } from "./signals.js";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;
const hang = (signal: AbortSignal): Promise<unknown> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

test("many requests and pauses share one listener, and leave none behind", async () => {
  const { signal } = new AbortController();
  const limits = { timeoutMs: 20, signal };
  const all = Promise.allSettled(
    Array.from({ length: 50 }, () => [underClock(limits, hang), new Deadline({ ...limits, timeoutMs: 10_000 }).pause(10)]).flat(),
  );
  expect(listeners(signal)).toBe(1);
  await all;
  expect(listeners(signal)).toBe(0);
});

test("each of them ends when the signal fires", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const enough = new Error("enough");
  const limits = { timeoutMs: 600_000, signal };
  const requests = Promise.allSettled(Array.from({ length: 20 }, () => underClock(limits, hang)));
  const pauses = Promise.allSettled(Array.from({ length: 20 }, () => realTime.pause(600_000, signal)));
  controller.abort(enough);
  for (const ended of await requests) expect(ended).toEqual({ status: "rejected", reason: enough });
  for (const ended of await pauses) expect(ended).toMatchObject({ status: "rejected", reason: { cause: enough } });
  expect(listeners(signal)).toBe(0);
  await expect(realTime.pause(600_000, signal)).rejects.toMatchObject({ cause: enough });
  await expect(underClock(limits, hang)).rejects.toBeDefined();
});

test("a listener that is taken away isn't told, and a later one is", () => {
  const controller = new AbortController();
  const told: string[] = [];
  const listener = (): void => void told.push("twice");
  const first = onAbort(controller.signal, listener);
  onAbort(controller.signal, listener);
  first();
  first();
  onAbort(controller.signal, () => told.push("gone"))();
  onAbort(controller.signal, () => told.push("last"));
  controller.abort();
  expect(told).toEqual(["twice", "last"]);
  const never = onAbort(undefined, () => told.push("never"));
  never();
  onAbort(controller.signal, () => told.push("at once"));
  expect(told).toEqual(["twice", "last", "at once"]);
});

test("a signal that is used again after its last call", () => {
  const controller = new AbortController();
  const told: number[] = [];
  onAbort(controller.signal, () => told.push(1))();
  expect(listeners(controller.signal)).toBe(0);
  onAbort(controller.signal, () => told.push(2));
  expect(listeners(controller.signal)).toBe(1);
  controller.abort();
  expect(told).toEqual([2]);
});
