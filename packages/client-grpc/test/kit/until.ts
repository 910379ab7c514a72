import { setTimeout as pause } from "node:timers/promises";

/** Asks again until the answer isn't undefined. The deadline only ends a hopeless wait. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, withinMs = 120_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs / 1000} s in vain: ${what}`);
    await pause(20);
  }
}
