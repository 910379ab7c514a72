/** The command line: dtm's flags (protocol.md 7.2) and our commands. A mistake costs one line on stderr and exit code 1. */
import { Command } from "commander";
import { type LoadedConfig, loadConfig } from "../config/load.js";
import { printConfig } from "../config/redact.js";
import { settingsReference } from "../config/reference.js";
import { serverVersion } from "../version.js";
import { explain } from "./explain.js";
import { addImport } from "./import.js";

/** After a failure: what was left open, whoever should have closed it, must not keep the process. */
const LINGER_MS = 250;

interface Flags {
  readonly config?: string;
  readonly debug?: true;
  readonly reset?: true;
}

export function program(): Command {
  const version = `dtm version: v${serverVersion()}`;
  const root = new Command("dtm")
    .description("Coordinator of distributed transactions: saga, TCC, XA, two-phase message and workflow.")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this")
    .usage("[options] [command]")
    .argument("[command]")
    .enablePositionalOptions()
    .showHelpAfterError();
  withFlags(root).action(async (unknown: string | undefined, flags: Flags) => {
    if (unknown !== undefined) return root.error(`error: unknown command '${unknown}'`);
    await run(flags);
  });
  const serving = withFlags(root.command("serve").description("run the server; so does dtm alone"));
  serving.action(() => run(serving.optsWithGlobals<Flags>()));
  const migrating = configFile(
    root.command("migrate").description("bring the tables of an SQL store up to date, as a start does"),
  ).option("--check", "change nothing: say what is pending, in the way or still writing; exit 1 if anything is");
  migrating.action(() => migrate(migrating.optsWithGlobals<Flags & { check?: true }>()));
  const config = root.command("config").description("what is set");
  const print = configFile(
    config.command("print").description("print what is in force, without secrets, and where it comes from"),
  );
  print.action(() => orExplain(() => say(printConfig(load(print.optsWithGlobals<Flags>())))));
  config
    .command("reference")
    .description("print all settings as a Markdown page")
    .action(() => void process.stdout.write(settingsReference()));
  addImport(root, { configFile, load, orExplain });
  root
    .command("version")
    .description("print the version")
    .action(() => say(version));
  return root;
}

function withFlags(command: Command): Command {
  return configFile(command)
    .option("-d, --debug", "log level debug")
    .option("-r, --reset", "delete all transactions and topics first (sqlite only)");
}

function configFile(command: Command): Command {
  return command.option("-c, --config <file>", "YAML file of settings");
}

async function run(flags: Flags): Promise<void> {
  await orExplain(async () => {
    const loaded = load(flags);
    // Only now, since loading all parts takes longer than any other command needs.
    const { serve } = await import("./serve.js");
    await serve(loaded, { reset: flags.reset === true });
  });
}

async function migrate(flags: Flags & { readonly check?: true }): Promise<void> {
  await orExplain(async () => {
    const { config } = load(flags);
    const { migrateStore } = await import("./migrate.js");
    if (!(await migrateStore(config, { check: flags.check === true, say, progress }))) process.exitCode = 1;
  });
}

function load({ config, debug }: Flags): LoadedConfig {
  return loadConfig({
    env: process.env,
    ...(config === undefined ? {} : { file: config }),
    ...(debug === true ? { flags: { LogLevel: "debug" } } : {}),
  });
}

async function orExplain(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    process.stderr.write(`dtm: ${explain(cause)}\n`);
    process.exitCode = 1;
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What isn't the command's answer. */
function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
