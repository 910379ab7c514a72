/** Sagas in bulk for the recovery scenarios: submitted without waiting, then looked after until the last end. */
import { awaitEnds, wallMs } from "./ends.mjs";
import { newGid, sagaBody } from "./patterns.mjs";
import { number } from "./report.mjs";

const LANES = 64;

/** Submits `count` two-step sagas whose steps call `service`; answers with their gids. */
export async function submitSagas(coordinator, service, count) {
  const gids = Array.from({ length: count }, newGid);
  const left = gids.values();
  const lane = async () => {
    for (const gid of left) {
      const answer = await coordinator.post("/api/dtmsvr/submit", JSON.stringify(sagaBody(gid, service.url, false)));
      if (answer.status !== 200) throw new Error(`submit of ${gid} answered ${answer.status}: ${answer.body.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return gids;
}

/** Seconds from `sinceMs` to the last end of `gids`, all of which must end within the limit. */
export async function timeToLastEnd({ coordinator, services, service, gids, sinceMs, limitSeconds, progress }) {
  let said = wallMs();
  const ends = await awaitEnds({
    client: coordinator,
    gids,
    callsSeen: async () => (await services.stats()).services[service.name],
    expectedCalls: gids.length * 2,
    limitMs: limitSeconds * 1000,
    onProgress(answered) {
      if (wallMs() - said < 10_000) return;
      said = wallMs();
      progress(`  ${number((said - sinceMs) / 1000)} s after the return: ${answered} of ${gids.length * 2} calls answered`);
    },
  });
  const seconds = ends.endMs === null ? null : (ends.endMs - sinceMs) / 1000;
  const text =
    seconds === null ? `not within ${limitSeconds} s (${ends.unfinished} of ${gids.length} unfinished)` : `${number(seconds)} s`;
  return { seconds, text: ends.failed > 0 ? `${text}, ${ends.failed} FAILED` : text };
}
