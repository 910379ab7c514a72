/** Runs the server until a signal: the first one stops it gracefully, the second at once (R18); in this process, or in `Workers` of it. */
import { constants } from "node:os";
import type { LoadedConfig } from "../config/load.js";
import { settingsGiven } from "../config/redact.js";
import { buildServer } from "../server.js";
import { runUntil } from "../service.js";
import { type OpenLog, openLog } from "../telemetry/log.js";
import { serverVersion } from "../version.js";
import { Member } from "../workers/member.js";
import { Supervisor } from "../workers/supervisor.js";
import { explainStop } from "./explain.js";
import { probePorts } from "./ports.js";

/** What a part that forgot its deadline gets beyond it. */
const PATIENCE_MS = 5_000;

export async function serve(loaded: LoadedConfig, options: { readonly reset: boolean }): Promise<void> {
  const { config } = loaded;
  const member = Member.here();
  // A worker's port is the supervisor's, who has asked.
  if (member === null) await probePorts(config);
  const log = openLog({ level: config.LogLevel, outputs: config.Log.Outputs });
  if (member === null && config.Workers > 1) return supervise(loaded, log);
  try {
    // A worker's were said by its supervisor.
    if (member === null) for (const warning of loaded.warnings) log.warn({}, warning);
    if (options.reset) {
      // Rarely asked for, and it brings SQLite's driver.
      const { resetData } = await import("./reset.js");
      await resetData(config, log);
    }
    const server = await buildServer(config, log, member === null ? {} : { metricsPage: () => member.page() });
    member?.measureBy(() => server.metrics.measure());
    const asked = member === null ? stopSignal(log, config.GraceMs) : stopAsMember(member, log, config.GraceMs);
    const stopped = Promise.race([asked, server.failed]);
    let stopping = false;
    void asked.then(() => {
      stopping = true;
    });
    const begin = performance.now();
    const running = runUntil(stopped, server.services, {
      graceMs: config.GraceMs,
      started: () => {
        const startMs = Math.round(performance.now() - begin);
        const about = { version: serverVersion(), pid: process.pid, store: config.Store.Driver, ...server.ports(), startMs };
        log.info({ ...about, settings: settingsGiven(loaded) }, "started");
        member?.started(server.ports());
      },
    });
    await running.then(
      () => log.info({}, "stopped"),
      (cause: unknown) => {
        if (!stopping) throw cause;
        log.error(explainStop(cause), "stopped, and not cleanly");
        process.exitCode = 1;
      },
    );
  } finally {
    log.close();
    member?.leave();
  }
  // What a library left open must not keep a stopped server's process.
  process.exit();
}

/** n processes of this program, and this one to look after them. */
async function supervise({ config, warnings }: LoadedConfig, log: OpenLog): Promise<void> {
  for (const warning of warnings) log.warn({}, warning);
  const supervisor = new Supervisor({ count: config.Workers, log });
  const stopped = stopSignal(log, config.GraceMs, () => supervisor.kill());
  const ports = await Promise.race([supervisor.start(), stopped.then(() => undefined)]);
  // The worker has told why.
  if (ports === null) process.exit(1);
  if (ports !== undefined) {
    const { workers } = supervisor;
    const words = workers < config.Workers ? "some workers started; others are tried again" : "all workers started";
    log.info({ workers, pid: process.pid, ...ports }, words);
  }
  await stopped;
  await supervisor.stop();
  log.info({}, "all workers stopped");
  log.close();
  process.exit(0);
}

/** The supervisor hands the stop on. A Ctrl-C reaches the whole group of processes, so it means nothing here. */
function stopAsMember(member: Member, log: OpenLog, graceMs: number): Promise<void> {
  process.on("SIGINT", () => undefined);
  const terminated = new Promise<void>((resolve) => process.once("SIGTERM", () => resolve()));
  return Promise.race([member.stopped, terminated]).then(() => {
    log.info({ pid: process.pid, graceMs }, "stopping");
    endAfter(graceMs + PATIENCE_MS, log);
  });
}

function endAfter(millis: number, log: OpenLog, cleanUp: () => void = () => undefined): void {
  setTimeout(() => {
    log.error({}, "a part did not stop in time");
    cleanUp();
    process.exit(1);
  }, millis).unref();
}

function stopSignal(log: OpenLog, graceMs: number, cleanUp: () => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const heard = (signal: "SIGINT" | "SIGTERM"): void => {
      if (stopping) {
        cleanUp();
        process.exit(128 + constants.signals[signal]);
      }
      stopping = true;
      log.info({ signal, graceMs }, "stopping; a second signal ends it at once");
      endAfter(graceMs + PATIENCE_MS, log, cleanUp);
      resolve();
    };
    process.on("SIGINT", heard);
    process.on("SIGTERM", heard);
  });
}
