/** What a server costs while nothing happens, and what it keeps after much has: CPU and resident memory of all its processes. */
import { spawn } from "node:child_process";
import process from "node:process";
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { countSucceeded } from "./lib/ends.mjs";
import { newGid, PATTERNS } from "./lib/patterns.mjs";
import { cpuMs, peakRssMb, rssMb } from "./lib/proc.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { pause } from "./lib/server-process.mjs";
import { startParticipants } from "./lib/start-participants.mjs";

const options = readOptions("footprint.mjs", "Idle CPU, and memory idle and after many sagas, all processes of one server.", {
  seconds: { initial: 60, about: "length of the idle window" },
  sagas: { initial: 100_000, about: "finished sagas before memory is read again" },
  concurrency: { initial: 64, about: "submitters, who wait for the result" },
});
/** A server that has just started, or worked, still compiles; V8 gives memory back later, in one collection within the window. */
const SETTLE_MS = 20_000;

/**
 * Beside a process that does nothing but wake four times a second, about as often as an idle server: where a host takes the cores away,
 * the time away is charged to whoever was awake, and only the difference between the two is the server's own.
 */
async function idleCpuPercent(pid) {
  const control = spawn(process.execPath, ["-e", "setInterval(() => undefined, 250)"], { stdio: "ignore" });
  try {
    await pause(SETTLE_MS);
    const pids = [pid, control.pid];
    const before = pids.map(cpuMs);
    await pause(options.seconds * 1000);
    const [server, nothing] = pids.map((each, place) => (cpuMs(each) - before[place]) / (options.seconds * 10));
    return { server, nothing };
  } finally {
    control.kill("SIGKILL");
  }
}

async function runSagas(bed, service) {
  const gids = Array.from({ length: options.sagas }, newGid);
  const left = gids.values();
  let done = 0;
  const lane = async () => {
    for (const gid of left) {
      await PATTERNS.saga.run({ coordinator: bed.coordinator, service: service.url, gid, wait: true });
      done += 1;
      if (done % 20_000 === 0) progress(`  ${done} sagas`);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: options.concurrency }, lane));
  return { gids, perSecond: gids.length / ((performance.now() - started) / 1000) };
}

async function oneRun({ peer, store, services }) {
  const bed = await layBed({ peer, store, temp: options.temp, services, connections: options.concurrency });
  try {
    const service = await bed.open();
    const idleCpu = await idleCpuPercent(bed.server.pid);
    const idleRss = rssMb(bed.server.pid);
    progress(
      `${peer.name}: idle CPU ${number(idleCpu.server)} %, of doing nothing ${number(idleCpu.nothing)} %, RSS ${number(idleRss)} MB`,
    );
    const { gids, perSecond } = await runSagas(bed, service);
    const peakRss = peakRssMb(bed.server.pid);
    const idleCpuAfter = await idleCpuPercent(bed.server.pid);
    const rssAfter = rssMb(bed.server.pid);
    const succeeded = await countSucceeded(bed.coordinator, gids);
    return {
      idleCpu: idleCpu.server,
      controlCpu: idleCpu.nothing,
      idleRss,
      peakRss,
      rssAfter,
      idleCpuAfter: idleCpuAfter.server,
      controlCpuAfter: idleCpuAfter.nothing,
      succeeded,
      perSecond,
    };
  } finally {
    await bed.clear();
  }
}

await runScript(async (closing) => {
  const store = chosenStore(options);
  const peers = chosenPeers(options);
  for (const peer of peers) await peer.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());
  const found = [];
  for (const peer of peers) found.push(await oneRun({ peer, store, services }));
  const row = (title, key, must = "") => [title, ...found.map((figures) => number(figures[key])), must];
  const rows = [
    row("idle CPU, %", "idleCpu", "< 1"),
    row("… of a process that only wakes 4 times a second (noise), %", "controlCpu"),
    row("RSS idle, MB", "idleRss", "≤ 150"),
    row(`RSS after ${options.sagas} sagas, ${options.seconds + SETTLE_MS / 1000} s later, MB`, "rssAfter", "≤ 250"),
    row("peak RSS meanwhile, MB", "peakRss"),
    row("idle CPU afterwards, %", "idleCpuAfter", "< 1"),
    row("… of a process that only wakes 4 times a second (noise), %", "controlCpuAfter"),
    row("of these sagas succeed when queried", "succeeded"),
    row("sagas per second meanwhile", "perSecond"),
  ];
  publish(`Footprint, store ${store.name}`, table(["", ...peers.map((peer) => peer.name), "design"], rows), options.write);
});
