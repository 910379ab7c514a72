/** Proves the durability in force before anything is measured (R32): by the store's own settings, and by the disk itself. */
import { statusOf } from "./ends.mjs";
import { newGid, PATTERNS } from "./patterns.mjs";
import { deviceFlushes } from "./proc.mjs";
import { pause } from "./server-process.mjs";

const LONE_SAGAS = 10;
const LONE_SAGA_MS = 60_000;

/**
 * Lone sagas, one after the other: a store that syncs every commit makes the disk flush at least once for each, one that leaves it
 * to the operating system doesn't at all. Flushes of other programs are subtracted by the rate just before.
 */
async function flushesOfLoneSagas({ coordinator, service }) {
  // Not awaited by the submit: on a crowded machine its answer may come first, and then the saga just goes on.
  const run = async () => {
    const gid = newGid();
    await PATTERNS.saga.run({ coordinator, service, gid, wait: false });
    const deadline = performance.now() + LONE_SAGA_MS;
    while ((await statusOf(coordinator, gid)) !== "succeed") {
      if (performance.now() > deadline) throw new Error(`a lone saga has not succeeded within ${LONE_SAGA_MS / 1000} s`);
      await pause(2);
    }
  };
  await run();
  // What that saga and the start left to sync must not be taken for the noise of other programs.
  await pause(500);
  const quietFrom = performance.now();
  const quietFlushes = deviceFlushes();
  if (quietFlushes === null) return null;
  await pause(500);
  const from = performance.now();
  const before = deviceFlushes();
  for (let n = 0; n < LONE_SAGAS; n++) await run();
  const others = ((before - quietFlushes) / (from - quietFrom)) * (performance.now() - from);
  return deviceFlushes() - before - others;
}

/** Returns the line to print; throws when less than the store's full durability is in force. */
export async function assertDurability({ peer, store, coordinator, service }) {
  const { text, full } = store.durability(store.connection, peer);
  if (!full) throw new Error(`${peer.label} on ${store.name}: not fully durable: ${text}`);
  if (store.proof !== "disk") return text;
  const flushes = await flushesOfLoneSagas({ coordinator, service });
  if (flushes === null) return `${text}; this kernel doesn't count disk flushes`;
  if (flushes < LONE_SAGAS) {
    throw new Error(
      `${peer.label}: ${LONE_SAGAS} lone sagas made the disk flush only ${flushes.toFixed(0)} times: commits aren't synced (${text})`,
    );
  }
  return `${text}; ${(flushes / LONE_SAGAS).toFixed(1)} disk flushes per lone saga`;
}
