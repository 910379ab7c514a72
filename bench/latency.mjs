/** Submit latency at one fixed rate for all: dtm's saturation. Open loop: arrivals don't wait for answers, and latency counts from when each was due. */
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { countSucceeded } from "./lib/ends.mjs";
import { runClosedLoop } from "./lib/load.mjs";
import { runOpenLoop } from "./lib/open-loop.mjs";
import { PATTERNS } from "./lib/patterns.mjs";
import { PEERS } from "./lib/peers.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { median, percentile } from "./lib/stats.mjs";

const options = readOptions("latency.mjs", "p99 submit latency of waiting sagas at dtm's saturation rate.", {
  rate: { initial: 0, about: "sagas per second; 0 measures dtm with 64 submitters first and takes what it finished" },
  seconds: { initial: 10, about: "length of the timed window" },
  warmup: { initial: 3, about: "seconds of the same rate before it" },
  rounds: { initial: 3, about: "runs of each; medians are shown" },
  connections: { initial: 512, about: "most sockets of the load generator" },
});

async function saturation({ store, services }) {
  const peer = PEERS.dtm;
  await peer.prepare(progress);
  const bed = await layBed({ peer, store, temp: options.temp, services });
  try {
    const service = await bed.open();
    const figures = await runClosedLoop({
      pattern: PATTERNS.saga,
      concurrency: 64,
      wait: true,
      warmupMs: options.warmup * 1000,
      windowMs: options.seconds * 1000,
      coordinator: bed.coordinator,
      service: service.url,
      serviceName: service.name,
      services,
      pid: () => bed.server.pid,
    });
    return figures.perSecond;
  } finally {
    await bed.clear();
  }
}

async function oneRun({ peer, store, services, rate }) {
  const bed = await layBed({ peer, store, temp: options.temp, services, connections: options.connections });
  try {
    const service = await bed.open();
    const { latencies, gids, errors, firstError } = await runOpenLoop({
      rate,
      warmupMs: options.warmup * 1000,
      windowMs: options.seconds * 1000,
      send: (gid) => PATTERNS.saga.run({ coordinator: bed.coordinator, service: service.url, gid, wait: true }),
    });
    if (errors > 0) progress(`  ${errors} errors, first: ${firstError}`);
    const notFinal = gids.length - (await countSucceeded(bed.coordinator, gids));
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), errors, notFinal };
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
  const rate = options.rate > 0 ? options.rate : await saturation({ store, services });
  progress(`rate: ${number(rate)} sagas per second`);
  const runs = new Map(peers.map((peer) => [peer.name, []]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const peer of peers) {
      const figures = await oneRun({ peer, store, services, rate });
      runs.get(peer.name).push(figures);
      progress(`round ${round} ${peer.name}: p50 ${number(figures.p50)} ms, p99 ${number(figures.p99)} ms`);
    }
  }
  const rows = [...runs].map(([name, figures]) => {
    const sum = (key) => figures.reduce((total, run) => total + run[key], 0);
    const middle = (key) => number(median(figures.map((run) => run[key])));
    return [name, middle("p50"), middle("p99"), figures.map((run) => number(run.p99)).join(", "), sum("errors"), sum("notFinal")];
  });
  const head = ["", "p50, ms", "p99, ms", "p99 per round", "errors", "answered but not succeed"];
  publish(
    `Submit latency at ${number(rate)} sagas per second, open loop, store ${store.name} (design: p99 below dtm's, aim a third)`,
    table(head, rows),
    options.write,
  );
});
