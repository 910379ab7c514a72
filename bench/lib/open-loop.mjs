import { newGid } from "./patterns.mjs";
import { pause } from "./server-process.mjs";

/** Arrivals at random gaps (Poisson) with the given mean rate; a late answer delays nobody, and a late start counts as latency. */
export async function runOpenLoop({ rate, warmupMs, windowMs, send }) {
  const latencies = [];
  const gids = [];
  const state = { errors: 0, firstError: null };
  const pending = new Set();
  const started = performance.now();
  const windowFrom = started + warmupMs;
  const end = windowFrom + windowMs;

  const arrive = async (due) => {
    const gid = newGid();
    try {
      await send(gid);
      if (due < windowFrom) return;
      latencies.push(performance.now() - due);
      gids.push(gid);
    } catch (cause) {
      state.errors += 1;
      state.firstError ??= cause instanceof Error ? cause.message : String(cause);
    }
  };

  let due = started;
  while (due < end) {
    const now = performance.now();
    for (; due <= now && due < end; due += (-Math.log(1 - Math.random()) * 1000) / rate) {
      const answer = arrive(due).finally(() => pending.delete(answer));
      pending.add(answer);
    }
    if (due < end) await pause(Math.max(0, due - performance.now()));
  }
  await Promise.all(pending);
  return { latencies, gids, ...state };
}
