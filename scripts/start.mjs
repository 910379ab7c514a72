// `npm start`: the coordinator and two banks on this machine, one transfer that succeeds and one that is undone.
// Needs Node 20 and npm and nothing else; installs and builds what is missing.
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { brokenDown, startChild, stopChildren, whenReady } from "./lib/children.mjs";
import { choosePorts } from "./lib/ports.mjs";
import { bold, cents, dim, giveUp, say, step, Trouble } from "./lib/terminal.mjs";
import { balance, tell, transfer } from "./lib/transfer.mjs";
import { BANK, COORDINATOR, prepareWorkspace, ROOT } from "./lib/workspace.mjs";

const HELP = `npm start                  the coordinator, two example banks and two transfers between them
npm start -- --bare        the coordinator alone, its log on the screen
npm start -- --bare -c f   the same with settings from a YAML file
npm start -- --help        this

Settings (environment):
  HTTP_PORT, GRPC_PORT       the coordinator, 36789 and 36790; 0 takes any free port
  BANK_A_PORT, BANK_B_PORT   the banks, 8081 and 8082
  DATA_DIR                   where everything is kept, ./data; delete it to begin anew
  … and every setting of the coordinator: docs/settings.md`;

/** What has to be built for it. */
const NEEDED = ["@dtm/server", "@dtm/example-bank"];
const AMOUNT = 3_000;
const WAGES = 100_000;
/** npm passes Ctrl-C on to us although the terminal did already: two signals at once are one. */
const SAME_SIGNAL_MS = 500;

const signal = firstSignal();
try {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean", short: "h" }, bare: { type: "boolean" }, config: { type: "string", short: "c" } },
    allowPositionals: true,
  });
  if (positionals.length > 0) throw new Trouble(`"${positionals[0]}" is not something npm start knows.`, HELP);
  if (values.config !== undefined && !values.bare) throw new Trouble("-c goes with --bare: npm start -- --bare -c <file>");
  if (values.help) say(HELP);
  else if (values.bare) await bare(values.config);
  else await demo();
} catch (cause) {
  await stopChildren();
  giveUp(cause.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" ? new Trouble(`${cause.message.split(".")[0]}.`, HELP) : cause);
}

async function bare(config) {
  await prepared();
  const args = config === undefined ? ["serve"] : ["serve", "-c", config];
  const coordinator = startChild({ name: "coordinator", script: COORDINATOR, args, env: {}, log: null });
  await Promise.race([signal.given, coordinator.ended]);
  await stopChildren();
  const how = await coordinator.ended;
  process.exit(typeof how === "number" ? how : 1);
}

async function demo() {
  const host = process.env.HOST || "127.0.0.1";
  const ports = await choosePorts(host);
  const data = process.env.DATA_DIR || join(ROOT, "data");
  say(bold("dtm, a coordinator for distributed transactions"));
  say();
  await prepared();
  const parts = await startParts({ host, ports, data });
  const places = {
    origin: parts.origin,
    api: `${parts.origin}/api/dtmsvr`,
    headers: process.env.AUTH_TOKEN ? { authorization: `Bearer ${process.env.AUTH_TOKEN}` } : {},
    banks: parts.banks,
  };
  const failure = Promise.race(parts.children.map(async (part) => Promise.reject(brokenDown(part, await part.ended))));
  failure.catch(() => {});
  await Promise.race([failure, signal.given, tellBoth(places)]);
  if (!signal.heard) {
    sayWhereThingsAre({ places, grpc: `${addressOf(host)}:${ports.GRPC_PORT}`, data });
    await Promise.race([failure, signal.given]);
  }
  say();
  await step("stopping", () => stopChildren());
  process.exit(0);
}

/** Nothing of ours runs yet, so a signal simply ends it; the terminal told the installer or the build itself. */
async function prepared() {
  await Promise.race([prepareWorkspace(NEEDED), signal.given]);
  if (signal.heard) process.exit(130);
}

async function startParts({ host, ports, data }) {
  const logs = join(data, "logs");
  const origin = `http://${addressOf(host)}:${ports.HTTP_PORT}`;
  const banks = { a: `http://127.0.0.1:${ports.BANK_A_PORT}`, b: `http://127.0.0.1:${ports.BANK_B_PORT}` };
  const settings = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
  const parts = [
    ...["a", "b"].map((name) => ({
      name: `bank ${name.toUpperCase()}`,
      script: BANK,
      args: [name],
      env: { ...settings, BANK_DATA_DIR: join(data, "bank") },
      log: join(logs, `bank-${name}.log`),
      origin: banks[name],
      ready: `${banks[name]}/accounts`,
    })),
    {
      name: "coordinator",
      script: COORDINATOR,
      args: ["serve"],
      env: { ...settings, DATA_DIR: data },
      log: join(logs, "coordinator.log"),
      origin,
      ready: `${origin}/api/ping`,
    },
  ];
  const children = parts.map((part) => startChild(part));
  for (const [index, child] of children.entries()) {
    const { name, origin: at, ready } = parts[index];
    await step(`${name.padEnd(12)} ${at}`, () => Promise.race([whenReady(child, ready), signal.given]));
  }
  say();
  return { origin, banks, children };
}

async function tellBoth(places) {
  if ((await balance(places.banks.a, "alice")) < 2 * AMOUNT) {
    const wages = { method: "POST", body: JSON.stringify({ amount: WAGES }) };
    await fetch(`${places.banks.a}/accounts/alice/deposit`, wages);
    say(dim(`Alice had run out of money after so many transfers: ${cents(WAGES)} of wages were paid in.`));
    say();
  }
  tell("1  A transfer that succeeds", await transfer(places, { from: "alice", to: "bob", amount: AMOUNT }));
  const refused = await transfer(places, { from: "alice", to: "carol", amount: AMOUNT });
  tell("2  A transfer that bank B refuses, so what bank A did is undone", refused);
  places.gid = refused.gid;
}

function sayWhereThingsAre({ places, grpc, data }) {
  say(bold("Everything keeps running."));
  say(`  for SDKs     ${places.api}  (gRPC: ${grpc})`);
  say(`  look at it   curl '${places.api}/query?gid=${places.gid}'`);
  const shown = relative(process.cwd(), data);
  say(`  data, logs   ${shown.startsWith("..") ? data : shown}`);
  say("  Ctrl-C stops all of it; the next start keeps the balances.");
}

/** An address that listens everywhere is reached on loopback. */
function addressOf(host) {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/** The first Ctrl-C stops gracefully, the next one at once. */
function firstSignal() {
  const state = { heard: false, given: null };
  state.given = new Promise((resolve) => {
    let at = 0;
    const heard = () => {
      if (!state.heard) {
        state.heard = true;
        at = performance.now();
        resolve();
      } else if (performance.now() - at > SAME_SIGNAL_MS) process.exit(130);
    };
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, heard);
  });
  return state;
}
