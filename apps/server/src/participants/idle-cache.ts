export interface IdleCacheOptions<Value> {
  readonly open: (key: string) => Value;
  /** A busy value is never closed. */
  readonly isBusy: (value: Value) => boolean;
  readonly close: (value: Value) => void;
  /** Above it the value that was used longest ago is closed, if one is idle. */
  readonly bound: number;
  /** A value that nobody used for one to two sweeps is closed. */
  readonly sweepMs: number;
}

/** Connections by destination, opened on first use and closed when nobody needs them: URLs come from clients, so their number has no end. */
export class IdleCache<Value> {
  readonly #options: IdleCacheOptions<Value>;
  /** In order of use at the granularity of sweeps; counting sweeps spares every call a look at the clock. */
  readonly #entries = new Map<string, { readonly value: Value; usedIn: number }>();
  readonly #timer: NodeJS.Timeout;
  #sweeps = 0;

  constructor(options: IdleCacheOptions<Value>) {
    this.#options = options;
    this.#timer = setInterval(() => this.sweep(), options.sweepMs).unref();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedIn = this.#sweeps;
      return known.value;
    }
    const value = this.#options.open(key);
    if (this.#entries.size >= this.#options.bound) this.#closeOldest();
    this.#entries.set(key, { value, usedIn: this.#sweeps });
    return value;
  }

  sweep(): void {
    this.#sweeps++;
    for (const [key, entry] of this.#entries) if (entry.usedIn < this.#sweeps - 1) this.#closeIdle(key, entry.value);
  }

  /** Hands over what is open; the cache must not be used any more. */
  close(): readonly Value[] {
    clearInterval(this.#timer);
    const values = [...this.#entries.values()].map((entry) => entry.value);
    this.#entries.clear();
    return values;
  }

  #closeOldest(): void {
    const byUse = [...this.#entries].sort(([, a], [, b]) => a.usedIn - b.usedIn);
    for (const [key, { value }] of byUse) if (this.#closeIdle(key, value)) return;
  }

  #closeIdle(key: string, value: Value): boolean {
    if (this.#options.isBusy(value)) return false;
    this.#entries.delete(key);
    this.#options.close(value);
    return true;
  }
}
