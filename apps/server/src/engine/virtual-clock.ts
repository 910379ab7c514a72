import type { Clock } from "./clock.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that moves only when told to; timers fire in order of time, then of setting. */
export class VirtualClock implements Clock {
  #time: number;
  #order = 0;
  readonly #heap: Timer[] = [];
  readonly #cancelled = new Set<number>();

  constructor(start = 1_700_000_000_000) {
    this.#time = start;
  }

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { at: this.#time + Math.max(0, delay), order: ++this.#order, callback };
    this.#push(timer);
    return () => this.#cancelled.add(timer.order);
  }

  /** When the next timer fires; null when none is set. */
  nextAt(): number | null {
    this.#dropCancelled();
    return this.#heap[0]?.at ?? null;
  }

  /** Moves to the next timer and fires it; false when none is set. */
  fireNext(): boolean {
    this.#dropCancelled();
    const timer = this.#pop();
    if (timer === undefined) return false;
    this.#time = Math.max(this.#time, timer.at);
    timer.callback();
    return true;
  }

  /** Fires what comes due within `span`, letting promises settle in between, and ends exactly there. */
  async advance(span: number): Promise<void> {
    const end = this.#time + span;
    await settle();
    for (;;) {
      const next = this.nextAt();
      if (next === null || next > end) break;
      this.fireNext();
      await settle();
    }
    this.#time = end;
  }

  #dropCancelled(): void {
    for (let top = this.#heap[0]; top !== undefined && this.#cancelled.delete(top.order); top = this.#heap[0]) this.#pop();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let place = heap.push(timer) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !earlier(timer, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const right = left + 1;
      const leftTimer = heap[left];
      if (leftTimer === undefined) break;
      const rightTimer = heap[right];
      const rightFirst = rightTimer !== undefined && earlier(rightTimer, leftTimer);
      const child = rightFirst ? rightTimer : leftTimer;
      if (!earlier(child, last)) break;
      heap[place] = child;
      place = rightFirst ? right : left;
    }
    heap[place] = last;
    return top;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Lets every promise that can go on go on: setImmediate runs after the microtask queue is empty. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
