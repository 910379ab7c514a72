/** Starting and stopping: parts start in order and stop in reverse; a half-way start stops what had begun (style.md 7). */

export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Ends soon after the deadline at the latest. Asked of one whose start failed, too: it may have begun something. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A sentence for the operator: which setting is wrong and what to do. Shown as one line, exit code 1. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Nothing is under way yet that a start which failed would have to wait for. */
const HALF_WAY_MS = 1_000;
/** What a part that forgot its deadline gets beyond it. */
const PATIENCE_MS = 5_000;
const LEAST_MS = 500;

/**
 * Runs until `stopped` resolves, or rejects because something broke. A stop that is asked for during the start takes effect
 * between two services.
 */
export async function runUntil(
  stopped: Promise<unknown>,
  services: readonly Service[],
  options: { readonly graceMs: number; readonly started?: () => void },
): Promise<void> {
  const begun: Service[] = [];
  const failures: unknown[] = [];
  let { graceMs } = options;
  let stopping = false;
  const mark = (): void => {
    stopping = true;
  };
  stopped.then(mark, mark);
  try {
    await startAll(services, { begun, stopping: () => stopping });
    if (!stopping) options.started?.();
    await stopped;
  } catch (cause) {
    failures.push(cause);
    if (!stopping) graceMs = Math.min(graceMs, HALF_WAY_MS);
  }
  failures.push(...(await stopAll(begun, graceMs)));
  if (failures.length > 0) throw new AggregateError(failures, "the server did not stop cleanly");
}

async function startAll(
  services: readonly Service[],
  { begun, stopping }: { readonly begun: Service[]; readonly stopping: () => boolean },
): Promise<void> {
  for (const service of services) {
    if (stopping()) return;
    begun.unshift(service);
    await service.start();
  }
}

/** What kept each from stopping cleanly. */
async function stopAll(begun: readonly Service[], graceMs: number): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  const deadline = AbortSignal.timeout(graceMs);
  const end = performance.now() + graceMs + PATIENCE_MS;
  for (const service of begun) {
    const stopped = service.stop(deadline).catch((cause: unknown) => void failures.push(cause));
    // Whoever took all the time must not take the others' turn.
    const isOver = await over(stopped, Math.max(LEAST_MS, end - performance.now()));
    if (isOver) failures.push(new Error(`${service.name} did not stop in time`));
  }
  return failures;
}

/** True when it took longer. */
async function over(work: Promise<unknown>, millis: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(resolve, millis, true);
  });
  const isOver = await Promise.race([work.then(() => false), late]);
  clearTimeout(timer);
  return isOver;
}
