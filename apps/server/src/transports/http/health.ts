/** Whether the process can work: what orchestrators ask before they send traffic. */
import type { Answer } from "./answer.js";
import { json } from "./answer.js";

export interface HealthCheck {
  readonly name: string;
  /** Rejects when the part can't work; the message is shown to whoever asks, so it names no secret. */
  check(): Promise<void>;
}

const PATIENCE_MS = 2_000;

/** 200 when every part works, else 503 with what is wrong. */
export async function readiness(checks: readonly HealthCheck[], stopping: boolean): Promise<Answer> {
  if (stopping) return json({ status: "stopping" }, 503);
  const results = await Promise.all(checks.map(async (part) => [part.name, await verdict(part)] as const));
  const ready = results.every(([, said]) => said === "ok");
  return json({ status: ready ? "ready" : "unready", checks: Object.fromEntries(results) }, ready ? 200 : 503);
}

async function verdict(part: HealthCheck): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${PATIENCE_MS} ms`), PATIENCE_MS);
  });
  try {
    return await Promise.race([part.check().then(() => "ok"), late]);
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  } finally {
    clearTimeout(timer);
  }
}
