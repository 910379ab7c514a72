import process from "node:process";
import { parseArgs } from "node:util";
import { SERVICE_NAMES, startServices } from "./lib/services.mjs";
import { dim, giveUp, say, Trouble, yellow } from "./lib/terminal.mjs";

const HELP = `npm run services            starts ${SERVICE_NAMES.join(", ")} until Ctrl-C, and prints the variables that tests read
npm run services -- mysql   only that one

A server that such a variable already names is used as it is. A server that isn't installed is installed with apt-get, when run as root.`;

try {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    say(HELP);
    process.exit(0);
  }
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
