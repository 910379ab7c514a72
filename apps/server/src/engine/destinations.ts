/**
 * Who may call a destination now (R12, R13): a limit of calls in flight, a breaker that opens when nothing but temporary errors
 * comes back, and probes until it answers again. Kept per destination, never per host.
 */
import type { Outcome } from "@dtm/protocol";
import type { Clock } from "./clock.js";
import type { Millis } from "./transaction.js";

export type Entry = { readonly kind: "go" } | { readonly kind: "deferred"; readonly reason: "open" | "full" };

export interface Caller {
  readonly gid: string;
  /** Compensations, cancels and rollbacks go first, but never take every slot (R12). */
  readonly undo: boolean;
  /** A probe, a nudge, or the first call of a waiting submit: goes through an open breaker (R13). */
  readonly pass: boolean;
}

export interface DestinationRules {
  readonly limit: number;
  /** How long a call waits for a slot. */
  readonly patienceMs: Millis;
  readonly errorsToOpen: number;
  readonly transactionsToOpen: number;
}

export const DEFAULT_RULES: DestinationRules = { limit: 256, patienceMs: 1_000, errorsToOpen: 20, transactionsToOpen: 10 };

/** The listener is told once per change, in the same tick. */
export interface DestinationEvents {
  opened(destination: string): void;
  answered(destination: string): void;
}

interface Waiter {
  readonly pass: boolean;
  readonly resolve: (entry: Entry) => void;
  cancel: () => void;
}

interface State {
  /** Somebody came again since the last look at it. */
  used: boolean;
  inFlight: number;
  errors: number;
  readonly failing: Set<string>;
  open: boolean;
  granted: number;
  readonly undo: Waiter[];
  readonly onward: Waiter[];
}

const GO: Entry = { kind: "go" };
const OPEN: Entry = { kind: "deferred", reason: "open" };
const FULL: Entry = { kind: "deferred", reason: "full" };
/** Beyond this many, those that nobody has used for a while are forgotten, unless a call is under way there or a breaker is open. */
const MOST_KEPT = 4_096;
/** For each new one, so that no call waits for a look at all of them. */
const LOOKS_TO_FORGET = 8;

export class Destinations {
  /** The one that was looked at longest ago comes first. */
  readonly #states = new Map<string, State>();

  constructor(
    private readonly clock: Clock,
    private readonly rules: DestinationRules,
    private readonly events: DestinationEvents,
  ) {}

  /** At once where there is room; otherwise a promise that ends within the patience. Every "go" is paid back by one `leave`. */
  enter(destination: string, caller: Caller): Entry | Promise<Entry> {
    const known = this.#states.get(destination);
    if (known !== undefined) known.used = true;
    const state = known ?? this.#state(destination);
    if (state.open && !caller.pass) return OPEN;
    if (state.inFlight < this.rules.limit) {
      state.inFlight++;
      return GO;
    }
    return new Promise((resolve) => {
      const queue = caller.undo ? state.undo : state.onward;
      const waiter: Waiter = { pass: caller.pass, resolve, cancel: () => undefined };
      waiter.cancel = this.clock.after(this.rules.patienceMs, () => {
        queue.splice(queue.indexOf(waiter), 1);
        resolve(FULL);
      });
      queue.push(waiter);
    });
  }

  /** Pays a "go" back, with what the call came to; null when it was never sent. */
  leave(destination: string, gid: string, outcome: Outcome | null): void {
    const state = this.#state(destination);
    state.inFlight--;
    if (outcome === null) this.#grant(state);
    else this.#judge(destination, state, gid, outcome);
  }

  #judge(destination: string, state: State, gid: string, outcome: Outcome): void {
    if (outcome.kind === "unknown") this.#failed(destination, state, gid);
    else if (state.errors > 0 || state.open) this.#answered(destination, state);
    this.#grant(state);
  }

  /** Begins open: many rest waiting for it since before this process started (R13). */
  begin(destination: string): void {
    const state = this.#state(destination);
    if (!state.open) this.#openNow(destination, state);
  }

  isOpen(destination: string): boolean {
    return this.#states.get(destination)?.open ?? false;
  }

  inFlight(destination: string): number {
    return this.#states.get(destination)?.inFlight ?? 0;
  }

  /** Nobody rests waiting for it any more, so nobody can probe: the next caller will find out. */
  close(destination: string): void {
    const state = this.#states.get(destination);
    if (state === undefined) return;
    state.open = false;
    state.errors = 0;
    state.failing.clear();
  }

  *view(): Iterable<{ readonly destination: string; readonly open: boolean; readonly inFlight: number }> {
    for (const [destination, { open, inFlight }] of this.#states) yield { destination, open, inFlight };
  }

  #failed(destination: string, state: State, gid: string): void {
    state.errors++;
    if (state.failing.size < this.rules.transactionsToOpen) state.failing.add(gid);
    if (!state.open && state.errors >= this.rules.errorsToOpen && state.failing.size >= this.rules.transactionsToOpen) {
      this.#openNow(destination, state);
    }
  }

  #openNow(destination: string, state: State): void {
    state.open = true;
    for (const queue of [state.undo, state.onward]) {
      const waiting = queue.splice(0);
      // Who may pass an open breaker waits on for a slot.
      queue.push(...waiting.filter(({ pass }) => pass));
      for (const waiter of waiting.filter(({ pass }) => !pass)) {
        waiter.cancel();
        waiter.resolve(OPEN);
      }
    }
    this.events.opened(destination);
  }

  #answered(destination: string, state: State): void {
    const wasOpen = state.open;
    state.open = false;
    state.errors = 0;
    state.failing.clear();
    if (wasOpen) this.events.answered(destination);
  }

  /** Of four freed slots three go to compensations, one to new work, as long as both wait. */
  #grant(state: State): void {
    while (state.inFlight < this.rules.limit) {
      const turn = state.granted % 4 === 3 ? [state.onward, state.undo] : [state.undo, state.onward];
      const waiter = turn[0]?.shift() ?? turn[1]?.shift();
      if (waiter === undefined) return;
      state.granted++;
      state.inFlight++;
      waiter.cancel();
      waiter.resolve(GO);
    }
  }

  #state(destination: string): State {
    const known = this.#states.get(destination);
    if (known !== undefined) return known;
    if (this.#states.size >= MOST_KEPT) this.#forgetSome();
    const state: State = {
      used: false,
      inFlight: 0,
      errors: 0,
      failing: new Set(),
      open: false,
      granted: 0,
      undo: [],
      onward: [],
    };
    this.#states.set(destination, state);
    return state;
  }

  /** Their errors too: a path with an order's number in it is called once, and its last error would stay for ever. */
  #forgetSome(): void {
    let looks = 0;
    for (const [destination, state] of this.#states) {
      if (++looks > LOOKS_TO_FORGET) return;
      this.#states.delete(destination);
      if (!state.used && state.inFlight === 0 && !state.open) continue;
      state.used = false;
      this.#states.set(destination, state);
    }
  }
}
