/** A neighbour that hangs must not hold up the others (design.md 2.5): sagas waiting for a service, beside sagas whose branch never answers. */
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { wallMs } from "./lib/ends.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { pause } from "./lib/server-process.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { submitSagas, timeToLastEnd } from "./lib/waiting-sagas.mjs";

const options = readOptions(
  "hanging.mjs",
  "Time from the return of a service to the last end of the sagas that wait for it, beside hanging ones.",
  {
    waiting: { initial: 500, about: "sagas whose service is down" },
    hanging: { initial: 100, about: "sagas whose branch never answers" },
    down: { initial: 30, about: "seconds that the service is down" },
    limit: { initial: 600, about: "seconds after which a run is given up" },
  },
);

async function oneRun({ peer, store, services, hanging }) {
  const bed = await layBed({ peer, store, temp: options.temp, services });
  try {
    const { coordinator } = bed;
    const stuck = await bed.open({ behaviour: "hang" });
    const service = await bed.open();
    await services.close(service.name);
    const from = wallMs();
    await submitSagas(coordinator, stuck, hanging);
    const gids = await submitSagas(coordinator, service, options.waiting);
    await pause(Math.max(0, options.down * 1000 - (wallMs() - from)));
    await services.open(service.name, { port: service.port });
    const run = { coordinator, services, service, gids, sinceMs: wallMs(), limitSeconds: options.limit, progress };
    return await timeToLastEnd(run);
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
  const rows = [];
  for (const peer of peers) {
    const alone = await oneRun({ peer, store, services, hanging: 0 });
    progress(`${peer.name}, no hanging neighbours: ${alone.text}`);
    const beside = await oneRun({ peer, store, services, hanging: options.hanging });
    progress(`${peer.name}, beside ${options.hanging} hanging: ${beside.text}`);
    const ratio = alone.seconds === null || beside.seconds === null ? Number.NaN : beside.seconds / alone.seconds;
    rows.push([peer.name, alone.text, beside.text, number(ratio)]);
  }
  const head = ["", "no hanging neighbour", `beside ${options.hanging} hanging`, "ratio (must ≤ 2, aim 1)"];
  publish(
    `${options.waiting} waiting sagas, service down for ${options.down} s, from its return to the last end, store ${store.name}`,
    table(head, rows),
    options.write,
  );
});
