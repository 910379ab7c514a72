/** What stands in the store and in memory right now, asked at the scrape: unfinished, oldest, stuck, driving, destinations. */
import { Gauge, type Registry } from "prom-client";
import { type EngineSettings, toStuckAsk } from "../engine/settings.js";
import type { Summary, TransactionStore } from "../stores/store.js";

export interface Collectable {
  readonly store: Pick<TransactionStore, "summary">;
  readonly driving: () => number;
  readonly destinations: () => Iterable<{ readonly destination: string; readonly open: boolean; readonly inFlight: number }>;
  readonly settings: EngineSettings;
  readonly now: () => number;
}

/** Counting takes the store a scan, and several scrapers may ask at once. */
const CACHE_MS = 5_000;
const ANSWER_WITHIN_MS = 2_000;
/** Destinations that get a label of their own: the open ones first, then the busiest. */
const MOST_DESTINATIONS = 50;

export function collectStanding(registry: Registry, parts: Collectable): void {
  const registers = [registry];
  const summary = cachedSummary(parts);
  const fromStore = (name: string, help: string, read: (found: Summary) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      // Every worker sees the same store.
      aggregator: "max",
      async collect() {
        const found = await summary();
        if (found === null) this.remove();
        else this.set(read(found));
      },
    });
  };
  fromStore("dtm_unfinished_transactions", "Transactions without a final status", ({ unfinished }) => unfinished);
  fromStore("dtm_oldest_unfinished_age_seconds", "Age of the oldest unfinished transaction", ({ oldest }) =>
    oldest === null ? 0 : Math.max(0, (parts.now() - oldest) / 1000),
  );
  fromStore("dtm_stuck_transactions", "Transactions that need somebody to look at them", ({ stuck }) => stuck);
  new Gauge({
    name: "dtm_driving_transactions",
    help: "Transactions driven by this server now",
    registers,
    collect() {
      this.set(parts.driving());
    },
  });
  new Gauge({
    name: "dtm_destination_in_flight",
    help: "Calls in flight; destinations beyond the busiest are summed as other",
    labelNames: ["destination"],
    registers,
    // Sets both, so that both name the same destinations; it comes first, or the other would show what the last scrape found.
    collect() {
      this.reset();
      open.reset();
      for (const { destination, ...state } of bounded(parts.destinations())) {
        this.set({ destination }, state.inFlight);
        open.set({ destination }, state.open ? 1 : 0);
      }
    },
  });
  const open = new Gauge({
    name: "dtm_destination_open",
    help: "1 while a destination is down and probed",
    labelNames: ["destination"],
    registers,
    aggregator: "max",
  });
}

type DestinationState = { readonly destination: string; readonly open: boolean; readonly inFlight: number };

function bounded(all: Iterable<DestinationState>): DestinationState[] {
  const ranked = [...all].sort((a, b) => Number(b.open) - Number(a.open) || b.inFlight - a.inFlight);
  const rest = ranked.slice(MOST_DESTINATIONS);
  if (rest.length === 0) return ranked;
  const other = {
    destination: "other",
    open: rest.some(({ open }) => open),
    inFlight: rest.reduce((sum, one) => sum + one.inFlight, 0),
  };
  return [...ranked.slice(0, MOST_DESTINATIONS), other];
}

/** Null when the store can't say in time: a scrape never waits for a store that is down. */
function cachedSummary({ store, settings, now }: Collectable): () => Promise<Summary | null> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let last: Promise<Summary | null> = Promise.resolve(null);
  return () => {
    const age = now() - askedAt;
    // Below zero when the clock was set back.
    if (age >= 0 && age < CACHE_MS) return last;
    askedAt = now();
    const asked = store.summary(toStuckAsk(settings, now()));
    last = within(
      ANSWER_WITHIN_MS,
      asked.catch(() => null),
    );
    return last;
  };
}

function within<T>(millis: number, answer: Promise<T>): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), millis);
    void answer.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
