/**
 * Says which branches keep failing, and why, when they have failed as often as the alert waits for. Thousands may fail for one reason, so of
 * each destination the first is said and then one a minute, with the number of those that weren't.
 */
import type { Log } from "../engine/coordinator.js";
import type { AlertEvent } from "../engine/drive.js";

const EVERY_MS = 60_000;
/** Destinations are a client's choice. */
const MOST_DESTINATIONS = 1_000;
const LONGEST_ERROR = 300;

interface Said {
  readonly nextAt: number;
  unsaid: number;
}

export class FailingLog {
  readonly #said = new Map<string, Said>();

  constructor(
    private readonly log: Log,
    private readonly now: () => number = () => performance.now(),
  ) {}

  say({ gid, status, branch, error, retryCount }: AlertEvent): void {
    const address = withoutSecrets(branch);
    const destination = destinationOf(address);
    const now = this.now();
    const before = this.#said.get(destination);
    if (before !== undefined && now < before.nextAt) {
      before.unsaid++;
      return;
    }
    if (this.#said.size >= MOST_DESTINATIONS) this.#said.clear();
    this.#said.set(destination, { nextAt: now + EVERY_MS, unsaid: 0 });
    const unsaid = before === undefined || before.unsaid === 0 ? {} : { othersUnsaid: before.unsaid };
    const why = error.replaceAll(branch, address).slice(0, LONGEST_ERROR);
    this.log.warn({ gid, status, branch: address, attempts: retryCount, error: why, ...unsaid }, "branch keeps failing");
  }
}

/** Without what may hold a password or a token: the user's part and the query. */
function withoutSecrets(branch: string): string {
  return branch.replace(/[?#].*$/s, "").replace(/^(\w+:\/\/)?[^/]*@/, "$1");
}

/** The host of an HTTP address, and that of a gRPC one (`host:port/service/method`). */
function destinationOf(branch: string): string {
  return branch.replace(/^\w+:\/\//, "").split("/", 1)[0] ?? "";
}
