/** Runs our server under `node --cpu-prof` with one workload, leaves the profiles in .cache/profiles, and prints where the time went. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { layBed } from "./lib/bed.mjs";
import { chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { summarise } from "./lib/cpu-profile.mjs";
import { runClosedLoop } from "./lib/load.mjs";
import { CACHE } from "./lib/paths.mjs";
import { PATTERNS } from "./lib/patterns.mjs";
import { PEERS } from "./lib/peers.mjs";
import { number } from "./lib/report.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { WireClient } from "./lib/wire.mjs";

const options = readOptions("profile.mjs", "Profiles our server under load and prints the functions that cost most themselves.", {
  pattern: { initial: "saga", about: "saga, msg or tcc" },
  seconds: { initial: 8, about: "length of the load" },
  warmup: { initial: 2, about: "seconds of load before the figures (the profile covers all of it)" },
  concurrency: { initial: 64, about: "submitters" },
  mode: { initial: "wait", about: "wait or nowait" },
  top: { initial: 25, about: "functions per thread" },
  interval: { initial: 500, about: "microseconds between samples" },
});

await runScript(async (closing) => {
  const store = chosenStore(options);
  const pattern = PATTERNS[options.pattern];
  if (pattern === undefined) throw new Error(`unknown pattern "${options.pattern}"`);
  await PEERS.ours.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());
  const folder = join(CACHE, "profiles", new Date().toISOString().replaceAll(":", "-"));
  mkdirSync(folder, { recursive: true });
  const nodeFlags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${options.interval}`];
  const bed = await layBed({
    peer: PEERS.ours,
    store,
    temp: options.temp,
    services,
    connections: options.concurrency,
    nodeFlags,
  });
  const service = await bed.open();
  const participants = new WireClient({ port: service.port, connections: options.concurrency });
  try {
    const figures = await runClosedLoop({
      pattern,
      concurrency: options.concurrency,
      wait: options.mode === "wait",
      warmupMs: options.warmup * 1000,
      windowMs: options.seconds * 1000,
      coordinator: bed.coordinator,
      participants,
      service: service.url,
      serviceName: service.name,
      services,
      pid: () => bed.server.pid,
    });
    progress(
      `${number(figures.perSecond)}/s, CPU ${number(figures.cpuMsEach)} ms each (the profiler included), ${figures.errors} errors`,
    );
  } finally {
    participants.close();
    await bed.clear();
  }
  process.stdout.write(`${folder}\n\n${summarise(folder, options.top)}\n`);
});
