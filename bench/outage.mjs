/** A service is down while sagas pile up, with or without the coordinator being killed meanwhile: from its return to the last end. */
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { wallMs } from "./lib/ends.mjs";
import { number, publish, table } from "./lib/report.mjs";
import { pause } from "./lib/server-process.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { median } from "./lib/stats.mjs";
import { submitSagas, timeToLastEnd } from "./lib/waiting-sagas.mjs";

const options = readOptions("outage.mjs", "Time from the return of a service to the last end of the sagas that wait for it.", {
  sagas: { initial: 5000, about: "sagas that pile up" },
  down: { initial: 30, about: "seconds from the last submit to the service's return (dtm's rows are due by then)" },
  how: { initial: "refuse", about: "refuse: nobody listens; hang: connections are accepted and never answered" },
  cases: {
    initial: "stays,restarted,killed",
    about: "stays: the coordinator lives on; restarted: kill -9 after the last submit, back at once; killed: back at the return",
  },
  rounds: { initial: 1, about: "runs of each, in turn" },
  limit: { initial: 300, about: "seconds after which a run is given up" },
});

/** What is done to the coordinator, and when; the clock runs from the service's return. */
const CASES = {
  stays: { label: "stays up", async afterSubmit() {}, async atReturn() {} },
  restarted: {
    label: "killed -9 and restarted before the return",
    async afterSubmit(server) {
      await server.kill();
      await server.restart();
    },
    async atReturn() {},
  },
  killed: {
    label: "killed -9, restarted at the return",
    afterSubmit: (server) => server.kill(),
    atReturn: (server) => server.restart(),
  },
};

/** With "hang" the calls are in flight when the coordinator is killed; with "refuse" the sagas rest in back-off. */
async function serviceDown(bed, services) {
  if (options.how === "hang") return bed.open({ behaviour: "hang" });
  const service = await bed.open();
  await services.close(service.name);
  return service;
}

async function oneRun({ peer, store, services, what }) {
  const bed = await layBed({ peer, store, temp: options.temp, services });
  try {
    const { coordinator, server } = bed;
    const service = await serviceDown(bed, services);
    const gids = await submitSagas(coordinator, service, options.sagas);
    const submitted = wallMs();
    await what.afterSubmit(server);
    await pause(options.down * 1000 - (wallMs() - submitted));
    if (options.how === "hang") await services.close(service.name);
    await services.open(service.name, { port: service.port });
    const sinceMs = wallMs();
    await what.atReturn(server);
    return await timeToLastEnd({ coordinator, services, service, gids, sinceMs, limitSeconds: options.limit, progress });
  } finally {
    await bed.clear();
  }
}

await runScript(async (closing) => {
  const store = chosenStore(options);
  const peers = chosenPeers(options);
  if (options.how !== "refuse" && options.how !== "hang") throw new Error("--how is refuse or hang");
  const names = options.cases.split(",");
  const unknown = names.find((name) => !Object.hasOwn(CASES, name));
  if (unknown !== undefined) throw new Error(`unknown case "${unknown}": one of ${Object.keys(CASES).join(", ")}`);
  for (const peer of peers) await peer.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());
  const rows = [];
  for (const name of names) {
    const what = CASES[name];
    const seen = new Map(peers.map((peer) => [peer, []]));
    for (let round = 1; round <= options.rounds; round++) {
      for (const peer of peers) {
        const ended = await oneRun({ peer, store, services, what });
        progress(`${peer.name}, coordinator ${what.label}, ${round}/${options.rounds}: ${ended.text}`);
        seen.get(peer).push(ended);
      }
    }
    for (const [peer, ends] of seen) {
      // A run that was given up lasted at least that long.
      const middle = median(ends.map(({ seconds }) => seconds ?? Infinity));
      const last = Number.isFinite(middle) ? `${number(middle)} s` : `more than ${options.limit} s`;
      rows.push([what.label, peer.name, last, ends.map(({ text }) => text).join(", ")]);
    }
  }
  const title = `${options.sagas} sagas wait for a service that is down for ${options.down} s (${options.how}), from its return to the last end, store ${store.name}`;
  publish(title, table(["coordinator", "", "last end after, median", "each"], rows), options.write);
});
