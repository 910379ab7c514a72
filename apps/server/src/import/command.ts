/** The work of `dtm import`: settings to parts and back to words. Progress and troubles go to stderr, one summary to stdout. */
import { setTimeout as pause } from "node:timers/promises";
import type { LoadedConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";
import { opened, openStore } from "../stores/open.js";
import type { Store } from "../stores/store.js";
import { openLog } from "../telemetry/log.js";
import { sourceFrom } from "./address.js";
import { runImport, type Tally } from "./run.js";
import { DtmRedis } from "./source.js";

export interface ImportFlags {
  readonly from: string;
  /** Of dtm's keys; Store.RedisPrefix when not given. */
  readonly prefix?: string;
  readonly finished?: true;
  readonly dryRun?: true;
}

/** Longer than dtm's poll: a running one touches what is due within it. */
const BETWEEN_LOOKS_MS = 4_000;
const PROGRESS_MS = 2_000;

/** False: something was not imported as it lies there, and was listed. */
export async function importFrom({ config }: LoadedConfig, flags: ImportFlags): Promise<boolean> {
  const prefix = flags.prefix ?? config.Store.RedisPrefix;
  const address = sourceFrom(flags.from, process.env["IMPORT_PASSWORD"] ?? "");
  if (config.Store.Driver === "memory")
    throw new StartError("Store.Driver memory keeps nothing: set STORE_DRIVER to the store that is to have dtm's transactions");
  const log = openLog({ level: config.LogLevel, outputs: config.Log.Outputs });
  const open: { close(): void | Promise<void> }[] = [log];
  try {
    const source = await DtmRedis.connect(address, prefix);
    open.unshift(source);
    const tally = await runImport({
      source,
      openStore:
        flags.dryRun === true
          ? null
          : async () => {
              const store = await target(config, log);
              open.unshift(store);
              return store;
            },
      finished: flags.finished === true,
      now: () => Date.now(),
      pause: () => pause(BETWEEN_LOOKS_MS),
      progress: nowAndThen((done, total) => tell(`${grouped(done)} of ${grouped(total)} transactions`)),
      trouble: tell,
    });
    process.stdout.write(`${summary(tally, { dryRun: flags.dryRun === true, driver: config.Store.Driver })}\n`);
    return tally.troubles === 0;
  } finally {
    for (const part of open) await part.close();
  }
}

async function target(config: Config, log: Log): Promise<Store> {
  // What is fatal to a store fails the operation that waits for it, which is told.
  const store = await openStore(config, { log, onFatal: () => undefined, flushed: () => undefined });
  await opened(store, log);
  return store;
}

function summary(tally: Tally, { dryRun, driver }: { readonly dryRun: boolean; readonly driver: string }): string {
  const { unfinished, finished, known, leftOut, expired, troubles, topics } = tally;
  const verb = dryRun ? "would import" : "imported";
  const parts = [`${verb} ${grouped(unfinished)} unfinished and ${grouped(finished)} finished transactions`];
  parts.push(`and ${grouped(topics.imported)} topics into ${driver}`);
  const notes: string[] = [];
  if (known + topics.known > 0) notes.push(`${grouped(known + topics.known)} were there already`);
  if (leftOut > 0) notes.push(`${grouped(leftOut)} finished ones left out (--finished takes them)`);
  if (expired > 0) notes.push(`${grouped(expired)} had expired in Redis, and dtm had given them up too`);
  if (troubles > 0) notes.push(`${grouped(troubles)} NOT imported, or different: listed above`);
  return [parts.join(" "), ...notes].join("; ");
}

function nowAndThen(say: (done: number, total: number) => void): (done: number, total: number) => void {
  let last = performance.now();
  return (done, total) => {
    const now = performance.now();
    if (done >= total || now - last < PROGRESS_MS) return;
    last = now;
    say(done, total);
  };
}

function tell(line: string): void {
  process.stderr.write(`dtm: ${line}\n`);
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
