/** Runs the server in this process until a signal: the first one stops it gracefully, the second at once (R18). */
import { constants } from "node:os";
import type { LoadedConfig } from "../config/load.js";
import { settingsGiven } from "../config/redact.js";
import { buildServer } from "../server.js";
import { runUntil } from "../service.js";
import { type OpenLog, openLog } from "../telemetry/log.js";
import { serverVersion } from "../version.js";
import { resetData } from "./reset.js";

/** What a part that forgot its deadline gets beyond it. */
const PATIENCE_MS = 5_000;

export async function serve(loaded: LoadedConfig, options: { readonly reset: boolean }): Promise<void> {
  const { config, warnings } = loaded;
  const log = openLog({ level: config.LogLevel, outputs: config.Log.Outputs });
  try {
    for (const warning of warnings) log.warn({}, warning);
    if (options.reset) await resetData(config, log);
    const server = buildServer(config, log);
    const stopped = Promise.race([stopSignal(log, config.GraceMs), server.failed]);
    const begin = performance.now();
    await runUntil(stopped, server.services, {
      graceMs: config.GraceMs,
      started: () => {
        const startMs = Math.round(performance.now() - begin);
        const about = { version: serverVersion(), pid: process.pid, store: config.Store.Driver, ...server.ports(), startMs };
        log.info({ ...about, settings: settingsGiven(loaded) }, "started");
      },
    });
    log.info({}, "stopped");
  } finally {
    log.close();
  }
  // What a library left open must not keep a stopped server's process.
  process.exit(0);
}

function stopSignal(log: OpenLog, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const heard = (signal: "SIGINT" | "SIGTERM"): void => {
      if (stopping) process.exit(128 + constants.signals[signal]);
      stopping = true;
      log.info({ signal, graceMs }, "stopping; a second signal ends it at once");
      setTimeout(() => {
        log.error({}, "a part did not stop in time");
        process.exit(1);
      }, graceMs + PATIENCE_MS).unref();
      resolve();
    };
    process.on("SIGINT", heard);
    process.on("SIGTERM", heard);
  });
}
