/**
 * Counters and histograms for the hot path: one map look-up and one addition per event. prom-client hashes its labels on every call,
 * some microseconds each; here that work is left to the scrape.
 */
import { Counter, type CounterConfiguration, Histogram, type HistogramConfiguration, type Registry } from "prom-client";

/** Series beyond this share the last one, whose labels say "other", whatever callers name. */
export const MOST_SERIES = 1_000;
const OTHER = "other";

/** One series per set of labels, made when first seen, and never more than `MOST_SERIES`. */
class Series<V> {
  readonly #byKey = new Map<string, { readonly labels: readonly string[]; readonly value: V }>();

  constructor(
    private readonly make: () => V,
    private readonly most: number,
  ) {}

  /** `key` is the labels in one text, so that a hit costs one look-up; `labels` is asked only when it is new. */
  at(key: string, labels: () => readonly string[]): V {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.value;
    if (this.#byKey.size >= this.most && key !== OTHER) return this.at(OTHER, () => labels().map(() => OTHER));
    const value = this.make();
    this.#byKey.set(key, { labels: labels(), value });
    return value;
  }

  values(): Iterable<{ readonly labels: readonly string[]; readonly value: V }> {
    return this.#byKey.values();
  }
}

interface Tally {
  count: number;
}

export class LeanCounter {
  readonly #series: Series<Tally>;

  constructor(
    config: CounterConfiguration<string> & { readonly labelNames: readonly string[]; registers: Registry[] },
    most = MOST_SERIES,
  ) {
    this.#series = new Series(() => ({ count: 0 }), most);
    const series = this.#series;
    const names = config.labelNames;
    new Counter({
      ...config,
      collect() {
        this.reset();
        for (const { labels, value } of series.values()) this.inc(named(names, labels), value.count);
      },
    });
  }

  /** The tally to add to; keep it where the labels don't change. */
  of(...labels: readonly string[]): Tally {
    return this.#series.at(labels.join("\u0000"), () => labels);
  }
}

interface Buckets {
  /** Not cumulative; the last one is +Inf. */
  readonly counts: number[];
  sum: number;
  readonly observe: (value: number) => void;
}

export class LeanHistogram {
  readonly #series: Series<Buckets>;

  constructor(
    config: HistogramConfiguration<string> & {
      readonly labelNames: readonly string[];
      readonly buckets: number[];
      registers: Registry[];
    },
    most = MOST_SERIES,
  ) {
    const { buckets, labelNames, name } = config;
    this.#series = new Series(() => newBuckets(buckets), most);
    new CollectedHistogram(config, () =>
      [...this.#series.values()].flatMap(({ labels, value }) => exposed(name, buckets, value, named(labelNames, labels))),
    );
  }

  /** What observes one series; keep it where the labels don't change. */
  of(...labels: readonly string[]): (value: number) => void {
    return this.#series.at(labels.join("\u0000"), () => labels).observe;
  }
}

function newBuckets(bounds: readonly number[]): Buckets {
  const buckets: Buckets = {
    counts: new Array<number>(bounds.length + 1).fill(0),
    sum: 0,
    observe(value) {
      let place = 0;
      while (place < bounds.length && value > (bounds[place] ?? 0)) place++;
      buckets.counts[place] = (buckets.counts[place] ?? 0) + 1;
      buckets.sum += value;
    },
  };
  return buckets;
}

type Collected = Awaited<ReturnType<Histogram["get"]>>;
type Exposed = Collected["values"][number];

/** prom-client's histogram in name, help and type; its values come from the buckets above. */
class CollectedHistogram extends Histogram {
  readonly #collected: () => Collected;

  constructor({ name, help, ...config }: HistogramConfiguration<string>, values: () => Exposed[]) {
    super({ name, help, ...config });
    this.#collected = () => ({ name, help, type: HISTOGRAM, aggregator: "sum", collect: () => undefined, values: values() });
  }

  override async get(): Promise<Collected> {
    return this.#collected();
  }

  /** The registry asks this one first. */
  async getForPromString(): Promise<Collected> {
    return this.#collected();
  }
}

/** Declared as a number by prom-client's types, while the library itself reads and writes the word. */
const HISTOGRAM = "histogram" as unknown as Collected["type"];

function exposed(name: string, bounds: readonly number[], { counts, sum }: Buckets, labels: Record<string, string>): Exposed[] {
  let total = 0;
  const values: Exposed[] = counts.map((count, place) => {
    total += count;
    return { metricName: `${name}_bucket`, labels: { le: bounds[place] ?? "+Inf", ...labels }, value: total };
  });
  return [...values, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total }];
}

function named(names: readonly string[], labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, labels[index] ?? ""]));
}
