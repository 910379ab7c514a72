/** Starting and stopping: parts start in order and stop in reverse; a half-way start stops what had started (style.md 7). */

export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Ends soon after the deadline at the latest. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A sentence for the operator: which setting is wrong and what to do. Shown as one line, exit code 1. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Runs until `stopped` resolves, or rejects because something broke. A stop that is asked for during the start takes effect
 * between two services.
 */
export async function runUntil(
  stopped: Promise<unknown>,
  services: readonly Service[],
  options: { readonly graceMs: number; readonly started?: () => void },
): Promise<void> {
  const running: Service[] = [];
  const failures: unknown[] = [];
  let stopping = false;
  const mark = (): void => {
    stopping = true;
  };
  stopped.then(mark, mark);
  try {
    for (const service of services) {
      if (stopping) break;
      await service.start();
      running.unshift(service);
    }
    if (!stopping) options.started?.();
    await stopped;
  } catch (cause) {
    failures.push(cause);
  }
  const deadline = AbortSignal.timeout(options.graceMs);
  for (const service of running) await service.stop(deadline).catch((cause: unknown) => failures.push(cause));
  if (failures.length > 0) throw new AggregateError(failures, "the server did not stop cleanly");
}
