/** Whether the process can work: what orchestrators ask before they send traffic. */
import type { Log } from "../../engine/coordinator.js";
import type { Answer } from "./answer.js";
import { json } from "./answer.js";

export interface HealthCheck {
  readonly name: string;
  /** What a probe is told when it rejects. Default: that the part can't answer. */
  readonly says?: string;
  /** Rejects when the part can't work. Why is for the log alone: a probe needs no token, and a driver's text names hosts and users. */
  check(): Promise<void>;
}

const PATIENCE_MS = 2_000;

/** 200 when every part works, else 503 with the names of those that don't. */
export async function readiness(checks: readonly HealthCheck[], stopping: boolean, log: Log): Promise<Answer> {
  if (stopping) return json({ status: "stopping" }, 503);
  const results = await Promise.all(checks.map(async (part) => [part.name, await verdict(part, log)] as const));
  const ready = results.every(([, said]) => said === "ok");
  return json({ status: ready ? "ready" : "unready", checks: Object.fromEntries(results) }, ready ? 200 : 503);
}

async function verdict(part: HealthCheck, log: Log): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${PATIENCE_MS} ms`), PATIENCE_MS);
  });
  try {
    return await Promise.race([part.check().then(() => "ok"), late]);
  } catch (cause) {
    log.warn({ check: part.name, err: cause }, "not ready");
    return part.says ?? `the ${part.name} can't answer`;
  } finally {
    clearTimeout(timer);
  }
}
