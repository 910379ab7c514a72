/** JSON lines by pino: one event per line, with fields. Bodies and secrets are never among them. */
import { closeSync, openSync } from "node:fs";
import pino from "pino";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  /** `stderr`, `stdout`, or paths of files, which are appended to. */
  readonly outputs: readonly string[];
}

export interface OpenLog extends Log {
  close(): void;
}

/** What a careless `log.info({ request })` would give away. */
const SECRET_FIELDS = ["password", "token", "authToken", "authorization"];
const SECRET_PATHS = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export function openLog({ level, outputs }: LogOptions): OpenLog {
  const files: number[] = [];
  const streams = outputs.map((output) => {
    const fd = descriptor(output);
    if (fd > 2) files.push(fd);
    // Written at once, so that the last words before a crash are there.
    const stream = pino.destination({ fd, sync: true });
    // A reader who went away must not end the server.
    stream.on("error", () => undefined);
    return { stream, level };
  });
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: "***" },
    },
    pino.multistream(streams),
  );
  return Object.assign(logger, {
    close: () => {
      for (const fd of files.splice(0)) closeSync(fd);
    },
  });
}

function descriptor(output: string): number {
  if (output === "stderr") return 2;
  if (output === "stdout") return 1;
  try {
    return openSync(output, "a");
  } catch (cause) {
    throw new StartError(`Log.Outputs names ${output}, which can't be written: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
}
