/**
 * The alert webhook: dtm's payload (protocol.md 4.9), posted beside the work and never in its way. The queue is bounded, a hook that
 * can't be reached is tried a few times, and what can't be told is counted and logged.
 */
import { request } from "undici";
import type { Log } from "../engine/coordinator.js";
import type { AlertEvent } from "../engine/drive.js";
import { USER_AGENT } from "../participants/branch-headers.js";
import { FailingLog } from "./failing-log.js";

export interface AlertOptions {
  /** "" = there is no hook. */
  readonly url: string;
  readonly log: Log;
  readonly count?: (result: "sent" | "failed" | "dropped") => void;
  readonly timeoutMs?: number;
  /** Before the second attempt; doubles after each. */
  readonly backOffMs?: number;
  readonly mostQueued?: number;
}

export interface Alerts {
  alert(event: AlertEvent): void;
  /** Lets what is being posted end, and drops the rest. */
  close(): Promise<void>;
}

const ATTEMPTS = 4;
/** A hook that hangs must not hold up the alerts of others behind it. */
const AT_ONCE = 4;

/** What is told is said in the log as well, hook or not. */
export function openAlerts(options: AlertOptions): Alerts {
  const hook = options.url === "" ? null : new WebHook(options);
  const failing = new FailingLog(options.log);
  return {
    alert(event) {
      failing.say(event);
      hook?.alert(event);
    },
    close: async () => hook?.close(),
  };
}

class WebHook implements Alerts {
  readonly #queue: AlertEvent[] = [];
  readonly #posting = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #dropped = 0;

  constructor(private readonly options: AlertOptions) {}

  alert(event: AlertEvent): void {
    if (this.#closing.signal.aborted) return;
    if (this.#queue.length >= (this.options.mostQueued ?? 1_000)) return this.#drop();
    this.#queue.push(event);
    this.#next();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const dropped = this.#queue.splice(0).length;
    if (dropped > 0) this.options.log.warn({ dropped }, "alerts not sent before the stop");
    await Promise.all(this.#posting);
  }

  #next(): void {
    if (this.#posting.size >= AT_ONCE) return;
    const event = this.#queue.shift();
    if (event === undefined) return;
    const posting = this.#deliver(event).finally(() => {
      this.#posting.delete(posting);
      this.#next();
    });
    this.#posting.add(posting);
  }

  async #deliver(event: AlertEvent): Promise<void> {
    const { log, count, backOffMs = 1_000 } = this.options;
    for (let attempt = 1; ; attempt++) {
      const trouble = await this.#post(event);
      if (trouble === null) return count?.("sent");
      if (attempt === ATTEMPTS || this.#closing.signal.aborted) {
        count?.("failed");
        // The URL may carry a key, so it is not named.
        return log.warn({ gid: event.gid, attempts: attempt, trouble }, "alert webhook can't be told");
      }
      await this.#pause(backOffMs * 2 ** (attempt - 1));
    }
  }

  /** Null when the hook answered: whatever it says, it has heard, and the same alert once more would be one too many. */
  async #post({ gid, status, branch, error, retryCount }: AlertEvent): Promise<string | null> {
    try {
      const answer = await request(this.options.url, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": USER_AGENT },
        body: JSON.stringify({ gid, status, branch, error, retry_count: retryCount }),
        signal: AbortSignal.timeout(this.options.timeoutMs ?? 5_000),
      });
      await answer.body.dump();
      return null;
    } catch (cause) {
      return cause instanceof Error ? cause.name : "failed";
    }
  }

  #pause(millis: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, millis);
      signal.addEventListener("abort", done);
    });
  }

  /** Said at the first and then at every hundredth, since a flood of alerts must not become a flood of lines. */
  #drop(): void {
    this.options.count?.("dropped");
    if (this.#dropped++ % 100 === 0) this.options.log.warn({ dropped: this.#dropped }, "alert queue is full");
  }
}
