import { parseArgs } from "node:util";
import { PEERS } from "./peers.mjs";
import { chooseStore, STORE_NAMES } from "./stores.mjs";

export const progress = (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

/** What most scripts take. `name: { initial, about }`; a boolean `initial` makes a flag. */
const SHARED = {
  peer: { initial: "dtm", about: "whom to measure beside ours: dtm, or none" },
  only: { initial: "", about: "measure only this one: ours or dtm" },
  store: { initial: "embedded", about: `${STORE_NAMES.join(", ")}; embedded is sqlite against boltdb, memory is ours alone` },
  "store-url": { initial: "", about: "server of that store, mysql://user:password@host:port; it is emptied" },
  temp: { initial: "", about: "folder for the servers' data (default .cache/bench-data)" },
  write: { initial: false, about: "append the results to bench/RESULTS.md" },
};

function usage(script, about, options) {
  const lines = Object.entries(options).map(([name, { initial, about: text }]) => {
    const shown = initial === "" || typeof initial === "boolean" ? "" : ` (default ${initial})`;
    return `  --${name.padEnd(14)} ${text}${shown}`;
  });
  return `${about}\n\nnode bench/${script} [options]\n\n${lines.join("\n")}\n  --${"help".padEnd(14)} this text\n`;
}

/** Reads the command line; ends the process for --help. Numbers stay numbers. `shared`: which of the options that most scripts take. */
export function readOptions(script, about, own, shared = Object.keys(SHARED)) {
  const options = { ...own, ...Object.fromEntries(shared.map((name) => [name, SHARED[name]])) };
  const config = { help: { type: "boolean", default: false } };
  for (const [name, { initial }] of Object.entries(options)) {
    config[name] =
      typeof initial === "boolean" ? { type: "boolean", default: initial } : { type: "string", default: String(initial) };
  }
  let values;
  try {
    ({ values } = parseArgs({ options: config }));
  } catch (cause) {
    process.stderr.write(`${cause.message}\n\n${usage(script, about, options)}`);
    process.exit(2);
  }
  if (values.help) {
    process.stdout.write(usage(script, about, options));
    process.exit(0);
  }
  for (const [name, { initial }] of Object.entries(options)) {
    if (typeof initial !== "number") continue;
    values[name] = Number(values[name]);
    if (!Number.isFinite(values[name]) || values[name] < 0) throw new Error(`--${name} must be a number, not negative`);
  }
  return values;
}

export function chosenPeers({ peer, only, store }) {
  const alone = peer === "none" || store === "memory";
  const names = only !== "" ? [only] : alone ? ["ours"] : ["ours", peer];
  if (store === "memory" && names.includes("dtm")) throw new Error("--store memory is for ours alone");
  return names.map((name) => {
    const found = PEERS[name];
    if (found === undefined) throw new Error(`unknown peer "${name}": one of ${Object.keys(PEERS).join(", ")}`);
    return found;
  });
}

export const chosenStore = (values) => chooseStore(values.store, values["store-url"] || undefined);

/** Runs a script's main part; whatever it opened with `closing.push` is closed in reverse, also on an error or a signal. */
export async function runScript(main) {
  const closing = [];
  let closed = null;
  const closeAll = () => {
    closed ??= (async () => {
      for (const close of closing.reverse()) await close().catch((cause) => progress(`while closing: ${cause}`));
    })();
    return closed;
  };
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      progress(`${signal}: taking everything down`);
      closeAll().then(() => process.exit(130));
    });
  }
  try {
    await main(closing);
  } catch (cause) {
    process.exitCode = 1;
    process.stderr.write(`${cause instanceof Error ? cause.message : cause}\n`);
    if (process.env["DEBUG"] !== undefined) console.error(cause);
  } finally {
    await closeAll();
  }
}
