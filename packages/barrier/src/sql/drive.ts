/** Carries steps out on a connection: the same steps for drivers that answer later and for those that answer at once. */
import { DtmError } from "@dtm/protocol";
import type { Steps } from "./rows.js";
import type { Executor, Reply } from "./statement.js";
import type { TableName } from "./table.js";
import { translate } from "./trouble.js";

export async function drive<T>(steps: Steps<T>, executor: Executor, table: TableName): Promise<T> {
  try {
    let step = steps.next();
    // Ends with the steps: each of them is bounded where it is written.
    while (step.done !== true) {
      let reply: Reply;
      try {
        reply = await executor.send(step.value);
      } catch (cause) {
        step = steps.throw(cause);
        continue;
      }
      step = steps.next(reply);
    }
    return step.value;
  } catch (cause) {
    throw translate(cause, table);
  }
}

export function driveNow<T>(steps: Steps<T>, executor: Executor<Reply>, table: TableName): T {
  try {
    let step = steps.next();
    while (step.done !== true) {
      let reply: Reply;
      try {
        reply = executor.send(step.value);
      } catch (cause) {
        step = steps.throw(cause);
        continue;
      }
      step = steps.next(reply);
    }
    return step.value;
  } catch (cause) {
    throw translate(cause, table);
  }
}

/**
 * Before anything is written: what an async function does after its first await is done though it is refused.
 *
 * @throws DtmError WORK_IS_ASYNC.
 */
export function requireSync(work: unknown): void {
  if (Object.prototype.toString.call(work) === "[object AsyncFunction]") throw isAsync("an async function");
}

/**
 * The value of work that must be synchronous. A promise is refused: whatever it does comes after the driver's COMMIT.
 *
 * @throws DtmError WORK_IS_ASYNC.
 */
export function mustBeSync<T>(value: T): T {
  if (!isThenable(value)) return value;
  // Nobody will await it any more; its failure must not end the process as an unhandled rejection.
  value.then(undefined, () => undefined);
  throw isAsync("that it returned a promise");
}

function isAsync(found: string): DtmError {
  return new DtmError(
    "WORK_IS_ASYNC",
    `expected the work to be synchronous, as the driver is, found ${found}: the transaction would be committed before it is done`,
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "then") === "function";
}
