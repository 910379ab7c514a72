/**
 * Which transactions are finished, by the only witness that counts: the status that `query` shows (R32). Queries cost the server
 * work, so they start when the services have seen all calls, and then ask only for what wasn't final yet.
 */
import { pause } from "./server-process.mjs";

const FINAL = new Set(["succeed", "failed"]);
const LANES = 16;
/** For the coordinator's last write after its last call: a look that came too early would be the run's end only when all were asked again. */
const LAST_WRITE_MS = 100;

export async function statusOf(client, gid) {
  const answer = await client.get(`/api/dtmsvr/query?gid=${gid}`);
  if (answer.status !== 200) throw new Error(`query of ${gid} answered ${answer.status}: ${answer.body.slice(0, 200)}`);
  return JSON.parse(answer.body).transaction?.status ?? null;
}

/** gid → status, for all of them. */
export async function statuses(client, gids) {
  const found = new Map();
  const left = gids.values();
  const lane = async () => {
    for (const gid of left) found.set(gid, await statusOf(client, gid));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return found;
}

export async function countSucceeded(client, gids) {
  let succeeded = 0;
  for (const status of (await statuses(client, gids)).values()) if (status === "succeed") succeeded += 1;
  return succeeded;
}

/**
 * Waits until all are final or `limitMs` has passed. `callsSeen` reports `{ answered, lastMs }` of their services; `endMs` is on the
 * same clock as `wallMs()`. The last end is the services' last call when the first look finds everything final, else the moment
 * at which the last one was seen final.
 */
export async function awaitEnds({ client, gids, callsSeen, expectedCalls, limitMs, onProgress = () => {} }) {
  const deadline = wallMs() + limitMs;
  let seen = await callsSeen();
  while (seen.answered < expectedCalls && wallMs() < deadline) {
    await pause(50);
    seen = await callsSeen();
    onProgress(seen.answered);
  }
  await pause(LAST_WRITE_MS);
  let unfinished = [...gids];
  const counts = { succeed: 0, failed: 0 };
  let endMs = seen.lastMs;
  for (let looks = 0; unfinished.length > 0; looks++) {
    const found = await statuses(client, unfinished);
    unfinished = unfinished.filter((gid) => !FINAL.has(found.get(gid)));
    for (const status of found.values()) if (FINAL.has(status)) counts[status] += 1;
    if (looks > 0) endMs = wallMs();
    if (unfinished.length > 0 && wallMs() >= deadline) return { endMs: null, unfinished: unfinished.length, ...counts };
    if (unfinished.length > 0) await pause(20);
  }
  return { endMs, unfinished: 0, ...counts };
}

/** One clock for all processes of a run. */
export const wallMs = () => performance.timeOrigin + performance.now();
