// `npm run services [postgres] [mysql] [redis] [redis-cluster]`: database servers for development and tests, until Ctrl-C. Prints the variables that tests read.
import process from "node:process";
import { SERVICE_NAMES, startServices } from "./lib/services.mjs";
import { dim, giveUp, say, Trouble, yellow } from "./lib/terminal.mjs";

try {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !SERVICE_NAMES.includes(name));
  if (unknown !== undefined) throw new Trouble(`there is no service "${unknown}", there are: ${SERVICE_NAMES.join(", ")}`);
  const { env, missing, stop } = await startServices(names.length === 0 ? SERVICE_NAMES : names);
  for (const line of missing) say(`${yellow("missing:")} ${line}`);
  for (const [variable, url] of Object.entries(env)) say(`export ${variable}=${url}`);
  if (Object.keys(env).length === 0) throw new Trouble("no service could be started.");
  say(dim("running; Ctrl-C stops them"));
  await new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, resolve);
    // A signal handler alone keeps no process.
    setInterval(() => undefined, 60_000);
  });
  await stop();
  process.exit(0);
} catch (cause) {
  giveUp(cause);
}
