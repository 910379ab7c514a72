/** A bank inside of this process with what matters here of a database: connections, one lock, and a rollback that takes its time. */
import { setTimeout as sleep } from "node:timers/promises";

const DESTROY_MS = 5;

export class LockedBank {
  balance = 100;
  /** Connections that were destroyed. */
  destroyed = 0;
  readonly seen = new Set<string>();
  #holder: Connection | null = null;
  readonly #queue: (() => void)[] = [];

  connect(): Connection {
    return new Connection(this);
  }

  async lock(by: Connection): Promise<void> {
    while (this.#holder !== null) await new Promise<void>((resolve) => void this.#queue.push(resolve));
    this.#holder = by;
  }

  unlock(by: Connection): void {
    if (this.#holder !== by) return;
    this.#holder = null;
    this.#queue.shift()?.();
  }
}

/** One local transaction. */
export class Connection {
  #balance = 0;
  #seen: string[] = [];
  #open = false;

  constructor(readonly bank: LockedBank) {}

  /** Waits for the lock, which it holds until the end. */
  async begin(): Promise<void> {
    await this.bank.lock(this);
    this.#open = true;
  }

  /** What a barrier does: once for each op of a branch, and no action behind its undo. */
  once(op: string): boolean {
    const { seen } = this.bank;
    const run = !seen.has(op) && !(op === "compensate" && !seen.has("action"));
    this.#seen = op === "compensate" ? ["action", op] : [op];
    return run;
  }

  add(amount: number): void {
    this.#balance += amount;
  }

  commit(): void {
    if (!this.#open) throw new Error("the connection is gone");
    this.bank.balance += this.#balance;
    for (const op of this.#seen) this.bank.seen.add(op);
    this.#end();
  }

  release(): void {
    this.#end();
  }

  async destroy(): Promise<void> {
    this.bank.destroyed++;
    await sleep(DESTROY_MS);
    this.#end();
  }

  #end(): void {
    this.#open = false;
    this.bank.unlock(this);
  }
}
