/**
 * Names of services are looked up by the system, which knows of /etc/hosts and search domains, in libuv's few threads: two lookups at a time
 * unless UV_THREADPOOL_SIZE says more. A name that no resolver answers holds its thread for ten seconds and more, so it must not
 * keep all others from being looked up (design.md, promise 5).
 */
import { type LookupAddress, type LookupAllOptions, type LookupOptions, promises } from "node:dns";

const SLOW_MS = 1_000;
const SLOW_AT_ONCE = 1;
/** Names known to be slow; beyond that all are tried anew. */
const MOST_SLOW = 1_024;

export type Look = (hostname: string, options: LookupAllOptions) => Promise<LookupAddress[]>;

export class Lookups {
  readonly #look: Look;
  readonly #underWay = new Map<string, Promise<LookupAddress[]>>();
  readonly #slow = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #slowUnderWay = 0;

  constructor(look: Look = promises.lookup) {
    this.#look = look;
  }

  /** All addresses, as `dns.lookup` gives them. Who asks for a name that is being looked up gets the same answer. */
  of(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`;
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const found = this.#found(hostname, options).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, found);
    return found;
  }

  async #found(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
    const slow = this.#slow.has(hostname);
    if (slow) await this.#turn();
    const began = performance.now();
    try {
      return await this.#look(hostname, { ...options, all: true });
    } finally {
      if (slow) this.#giveTurn();
      this.#learn(hostname, performance.now() - began > SLOW_MS);
    }
  }

  /** Slow ones go one after the other. */
  async #turn(): Promise<void> {
    if (this.#slowUnderWay < SLOW_AT_ONCE) this.#slowUnderWay++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #giveTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#slowUnderWay--;
    else next();
  }

  #learn(hostname: string, slow: boolean): void {
    if (!slow) {
      this.#slow.delete(hostname);
      return;
    }
    if (this.#slow.size >= MOST_SLOW) this.#slow.clear();
    this.#slow.add(hostname);
  }
}
