/**
 * Throughput with both servers up at once and the load going to one and the other in short turns. A machine that is slower for a minute is slower
 * for both, so their ratio is known better than from long runs one after the other.
 */
import { layBed } from "./lib/bed.mjs";
import { chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { verdict } from "./lib/compare.mjs";
import { runClosedLoop } from "./lib/load.mjs";
import { ratioOf } from "./lib/pairs.mjs";
import { PATTERNS } from "./lib/patterns.mjs";
import { PEERS, peerAt } from "./lib/peers.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { median } from "./lib/stats.mjs";
import { chooseStore } from "./lib/stores.mjs";
import { WireClient } from "./lib/wire.mjs";

const options = readOptions(
  "turns.mjs",
  "Measures ours and another in short turns, both up at once: the ratio on a noisy machine.",
  {
    patterns: { initial: "saga,tcc", about: "which workloads" },
    beside: {
      initial: "dtm",
      about: "dtm, ours (the same again: what the method gives by itself), or the folder of another checkout",
    },
    turns: { initial: 20, about: "of each; the ratio is the median over the pairs" },
    seconds: { initial: 2, about: "length of one turn" },
    warmup: { initial: 20, about: "seconds of load for each before the first" },
    concurrency: { initial: 64, about: "submitters" },
    "other-url": {
      initial: "",
      about: "a server of its own for the other, emptied too; Redis needs it, since it has no databases by name",
    },
  },
  ["store", "store-url", "temp", "write"],
);
/** Whoever comes on finds its connections idle and its caches used by the other. */
const SETTLE_MS = 250;

function chosenOther(beside) {
  if (beside === "ours") return { ...PEERS.ours, name: "again", label: "ours, again", database: "dtm_again" };
  return PEERS[beside] ?? peerAt(beside);
}

/** One of the two, with its surroundings. It is in `closing` too, for a run that is broken off. */
async function layArm({ peer, store, services, closing }) {
  const bed = await layBed({ peer, store, temp: options.temp, services, connections: options.concurrency });
  let cleared = null;
  const clear = () => {
    cleared ??= bed.clear();
    return cleared;
  };
  closing.push(clear);
  const service = await bed.open();
  const participants = new WireClient({ port: service.port, connections: options.concurrency });
  closing.push(async () => participants.close());
  return { bed, service, participants, clear, seen: [] };
}

function turn({ bed, service, participants }, { pattern, services, seconds }) {
  return runClosedLoop({
    pattern: PATTERNS[pattern],
    concurrency: options.concurrency,
    wait: true,
    warmupMs: SETTLE_MS,
    windowMs: seconds * 1000,
    coordinator: bed.coordinator,
    participants,
    service: service.url,
    serviceName: service.name,
    services,
    pid: () => bed.server.pid,
  });
}

async function inTurns({ pattern, sides, services, closing }) {
  const arms = [];
  for (const side of sides) arms.push(await layArm({ ...side, services, closing }));
  for (const arm of arms) await turn(arm, { pattern, services, seconds: options.warmup });
  for (let pair = 1; pair <= options.turns; pair++) {
    // Who goes first changes: what a turn leaves behind falls on both.
    for (const arm of pair % 2 === 0 ? [...arms].reverse() : arms)
      arm.seen.push(await turn(arm, { pattern, services, seconds: options.seconds }));
    const last = arms.map(({ bed, seen }) => `${bed.peer.name} ${number(seen.at(-1).perSecond)}/s`);
    progress(`${pattern} ${pair}/${options.turns}: ${last.join(", ")}`);
  }
  for (const arm of arms) await arm.clear();
  const [ours, other] = arms;
  return rowOf({ pattern, ours, other, targets: sides[0].store.targets });
}

function rowOf({ pattern, ours, other, targets }) {
  const troubles = [ours, other].flatMap(({ bed, seen }) =>
    seen
      .filter(({ errors, notFinal }) => errors + notFinal > 0)
      .map(({ errors, firstError, notFinal }) => `${bed.peer.label}: ${errors} errors (${firstError}), ${notFinal} not succeed`),
  );
  const rate = ratioOf(ours.seen, other.seen, "perSecond");
  const cpu = ratioOf(ours.seen, other.seen, "cpuMsEach");
  const both = (key) => [ours, other].map(({ seen }) => number(median(seen.map((one) => one[key])))).join(" / ");
  const design = (target, ratio) => (other.bed.peer.name === "dtm" ? verdict(target, ratio, targets) : "");
  const row = [
    pattern,
    both("perSecond"),
    number(rate.median),
    `${number(rate.from)} to ${number(rate.to)}`,
    design("perSecond", rate.median),
    both("cpuMsEach"),
    number(cpu.median),
    design("cpu", cpu.median),
  ];
  return { troubles, row };
}

await runScript(async (closing) => {
  const store = chosenStore(options);
  const otherUrl = options["other-url"];
  if (store.name === "redis" && otherUrl === "") throw new Error("the two would share one Redis: give --other-url as well");
  if (store.name === "memory" && options.beside === "dtm") throw new Error("--store memory is for ours alone: give --beside");
  const patterns = options.patterns.split(",");
  for (const name of patterns) {
    if (!(name in PATTERNS)) throw new Error(`unknown pattern "${name}": one of ${Object.keys(PATTERNS).join(", ")}`);
  }
  const peers = [PEERS.ours, chosenOther(options.beside)];
  const otherStore = otherUrl === "" ? store : chooseStore(options.store, otherUrl);
  const sides = [
    { peer: peers[0], store },
    { peer: peers[1], store: otherStore },
  ];
  for (const peer of peers) await peer.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());
  const found = [];
  for (const pattern of patterns) found.push(await inTurns({ pattern, sides, services, closing }));
  const pair = peers.map(({ label }) => label).join(" / ");
  const head = ["", `per s, ${pair}`, "ratio", "middle half", "design", `CPU ms each, ${pair}`, "ratio", "design"];
  const troubles = found.flatMap((each) => each.troubles);
  const clean = troubles.length === 0 ? "" : `\n\nNot clean: ${troubles.join("; ")}.`;
  const title = `In turns: ${options.turns} × ${options.seconds} s after ${options.warmup} s of warm-up, ${options.concurrency} submitters, store ${store.name}`;
  publish(
    title,
    `${table(
      head,
      found.map(({ row }) => row),
    )}${clean}`,
    options.write,
  );
});
