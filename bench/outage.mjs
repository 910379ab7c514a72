/** A service is down while sagas pile up, with or without the coordinator being killed meanwhile: from its return to the last end. */
import { layBed } from "./lib/bed.mjs";
import { chosenPeers, chosenStore, progress, readOptions, runScript } from "./lib/cli.mjs";
import { wallMs } from "./lib/ends.mjs";
import { publish, table } from "./lib/report.mjs";
import { pause } from "./lib/server-process.mjs";
import { startParticipants } from "./lib/start-participants.mjs";
import { submitSagas, timeToLastEnd } from "./lib/waiting-sagas.mjs";

const options = readOptions("outage.mjs", "Time from the return of a service to the last end of the sagas that wait for it.", {
  sagas: { initial: 5000, about: "sagas that pile up" },
  down: { initial: 30, about: "seconds from the last submit to the service's return (dtm's rows are due by then)" },
  how: { initial: "refuse", about: "refuse: nobody listens; hang: connections are accepted and never answered" },
  cases: {
    initial: "stays,killed",
    about: "stays: the coordinator lives on; killed: kill -9 after the last submit, restarted at the return",
  },
  limit: { initial: 300, about: "seconds after which a run is given up" },
});

/** With "hang" the calls are in flight when the coordinator is killed; with "refuse" the sagas rest in back-off. */
async function serviceDown(bed, services) {
  if (options.how === "hang") return bed.open({ behaviour: "hang" });
  const service = await bed.open();
  await services.close(service.name);
  return service;
}

async function oneRun({ peer, store, services, killed }) {
  const bed = await layBed({ peer, store, temp: options.temp, services });
  try {
    const { coordinator, server } = bed;
    const service = await serviceDown(bed, services);
    const gids = await submitSagas(coordinator, service, options.sagas);
    const submitted = wallMs();
    if (killed) await server.kill();
    await pause(options.down * 1000 - (wallMs() - submitted));
    if (options.how === "hang") await services.close(service.name);
    await services.open(service.name, { port: service.port });
    const sinceMs = wallMs();
    if (killed) await server.restart();
    return await timeToLastEnd({ coordinator, services, service, gids, sinceMs, limitSeconds: options.limit, progress });
  } finally {
    await bed.clear();
  }
}

await runScript(async (closing) => {
  const store = chosenStore(options);
  const peers = chosenPeers(options);
  if (options.how !== "refuse" && options.how !== "hang") throw new Error("--how is refuse or hang");
  for (const peer of peers) await peer.prepare(progress);
  const services = startParticipants();
  closing.push(() => services.stop());
  const rows = [];
  for (const name of options.cases.split(",")) {
    for (const peer of peers) {
      const { text } = await oneRun({ peer, store, services, killed: name === "killed" });
      progress(`${peer.name}, coordinator ${name}: ${text}`);
      rows.push([name === "killed" ? "killed -9 and restarted" : "stays up", peer.name, text]);
    }
  }
  const title = `${options.sagas} sagas wait for a service that is down for ${options.down} s (${options.how}), from its return to the last end, store ${store.name}`;
  publish(title, table(["coordinator", "", "last end after"], rows), options.write);
});
