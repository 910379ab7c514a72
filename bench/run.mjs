/** Throughput side by side: finished transactions per second, submit latency, CPU and memory of ours and of dtm, in alternating runs. */
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { compare, runLine } from "./lib/compare.mjs";
import { runClosedLoop } from "./lib/load.mjs";
import { PATTERNS } from "./lib/patterns.mjs";
import { publish } from "./lib/report.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { percentile } from "./lib/stats.mjs";
import { WireClient } from "./lib/wire.mjs";

const options = readOptions("run.mjs", "Measures finished transactions per second of ours and of dtm, in alternating runs.", {
  patterns: { initial: "saga,msg,tcc", about: "which workloads" },
  seconds: { initial: 10, about: "length of the timed window of one run" },
  warmup: { initial: 20, about: "seconds of the same load before it" },
  rounds: { initial: 3, about: "runs of each; medians are compared" },
  concurrency: { initial: 64, about: "submitters" },
  modes: { initial: "wait", about: "wait, nowait or wait,nowait: whether submitters wait for the result" },
});

function chosen(text, known, what) {
  const names = text.split(",").filter((name) => name !== "");
  for (const name of names) if (!known.includes(name)) throw new Error(`unknown ${what} "${name}": one of ${known.join(", ")}`);
  return names;
}

async function oneRun({ peer, store, services, name, mode }) {
  const bed = await layBed({ peer, store, temp: options.temp, services, connections: options.concurrency });
  const service = await bed.open();
  const participants = new WireClient({ port: service.port, connections: options.concurrency });
  try {
    const figures = await runClosedLoop({
      pattern: PATTERNS[name],
      concurrency: options.concurrency,
      wait: mode === "wait",
      warmupMs: options.warmup * 1000,
      windowMs: options.seconds * 1000,
      coordinator: bed.coordinator,
      participants,
      service: service.url,
      serviceName: service.name,
      services,
      pid: () => bed.server.pid,
    });
    const { submitMs, ...rest } = figures;
    return { ...rest, p50: percentile(submitMs, 0.5), p99: percentile(submitMs, 0.99), durability: bed.durability };
  } finally {
    participants.close();
    await bed.clear();
  }
}

await runScript(async (closing) => {
  const store = chosenStore(options);
  const peers = chosenPeers(options);
  const patterns = chosen(options.patterns, Object.keys(PATTERNS), "pattern");
  const modes = chosen(options.modes, ["wait", "nowait"], "mode");
  for (const peer of peers) await peer.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());

  const total = patterns.length * modes.length * options.rounds * peers.length;
  const runs = [];
  for (const name of patterns) {
    for (const mode of modes) {
      for (let round = 1; round <= options.rounds; round++) {
        for (const peer of peers) {
          const figures = await oneRun({ peer, store, services, name, mode });
          runs.push({ peer: peer.name, pattern: name, mode, round, ...figures });
          progress(`[${runs.length}/${total}] ${runLine(runs.at(-1))}`);
        }
      }
    }
  }
  const command = `${options.rounds} × ${options.seconds} s after ${options.warmup} s of warm-up, ${options.concurrency} submitters, 2 branches, store ${store.name}`;
  publish(`Throughput: ${command}`, compare(runs, store.targets), options.write);
});
