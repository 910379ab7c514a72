/**
 * `Workers: n` (design.md 3): n processes over one HTTP and one gRPC port, which node's cluster shares among them. This process serves
 * nothing itself: it starts them, replaces those that die, sums their metrics and hands the stop on.
 */
import cluster, { type Worker } from "node:cluster";
import { AggregatorRegistry } from "prom-client";
import type { Log } from "../engine/coordinator.js";
import type { Measured } from "../telemetry/metrics.js";
import type { FromWorker, ToWorker } from "./messages.js";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** Who lived this long didn't die of its start. */
const STEADY_MS = 60_000;
/** Of a worker that doesn't answer by then, what it said last counts. Longer than a worker waits for its store, shorter than the scraper's worker for this. */
const MEASURE_WITHIN_MS = 3_000;

export interface SupervisorParts {
  readonly count: number;
  readonly log: Log;
}

interface Measurement {
  readonly open: Set<number>;
  readonly done: () => void;
}

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #workers = new Map<number, Worker>();
  readonly #measurements = new Map<number, Measurement>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  /** What each worker said last, and the counts of those that ended: a sum that goes back would be taken for a new beginning, and counted twice. */
  readonly #told = new Map<number, Measured>();
  #ended: Promise<Measured> = Promise.resolve([]);
  #lastAsk = 0;
  #quickDeaths = 0;
  #stopping = false;
  #idle: () => void = () => undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  /** How many processes there are now. */
  get workers(): number {
    return this.#workers.size;
  }

  /** The first alone: what keeps it from starting would keep the others too, and it makes the schema. False: it has said why. */
  async start(): Promise<{ readonly http: number; readonly grpc: number } | null> {
    const ports = await this.#spawn();
    if (ports === null || this.#stopping) return ports;
    await Promise.all(Array.from({ length: this.#parts.count - 1 }, () => this.#spawn()));
    return ports;
  }

  /** Ends when the last worker has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    for (const worker of this.#workers.values()) tell(worker, { kind: "stop" });
    if (this.#workers.size > 0) await idle;
  }

  kill(): void {
    for (const worker of this.#workers.values()) worker.process.kill("SIGKILL");
  }

  /** Null: it ended before it had started. */
  #spawn(): Promise<{ readonly http: number; readonly grpc: number } | null> {
    const born = performance.now();
    let worker: Worker;
    try {
      worker = cluster.fork();
    } catch (cause) {
      this.#unborn(cause);
      return Promise.resolve(null);
    }
    this.#workers.set(worker.id, worker);
    return new Promise((resolve) => {
      let started = false;
      worker.on("message", (message: FromWorker) => {
        switch (message.kind) {
          case "started":
            started = true;
            resolve(message.ports);
            // Told before it listened, it heard nothing of the stop.
            if (this.#stopping) tell(worker, { kind: "stop" });
            return;
          case "scrape":
            this.#page().then(
              (text) => tell(worker, { kind: "page", id: message.id, text }),
              // The scraper hears of it when its worker's patience ends; the workers must not end with a page.
              (cause: unknown) => this.#parts.log.warn({ err: cause }, "metrics of the workers could not be summed"),
            );
            return;
          case "measured":
            this.#measured(message.ask, worker.id, message.metrics);
        }
      });
      const ended = (code: number | null, signal: string | null): void => {
        if (!this.#workers.delete(worker.id)) return;
        this.#bury(worker.id);
        for (const ask of this.#measurements.keys()) this.#measured(ask, worker.id, []);
        resolve(null);
        if (this.#stopping) {
          if (this.#workers.size === 0) this.#idle();
          return;
        }
        // The first of all is the caller's to judge.
        if (!started && this.#workers.size === 0 && this.#quickDeaths === 0) return;
        this.#replace({ pid: worker.process.pid, code, signal, livedMs: Math.round(performance.now() - born) });
      };
      worker.once("exit", ended);
      worker.on("error", (cause) => {
        this.#parts.log.error({ err: cause }, "worker can't be reached");
        // A channel that broke is followed by "exit"; a process that could not be made never was.
        if (worker.process.pid === undefined) ended(null, null);
      });
    });
  }

  /** Not even tried: the system has no room for a process now. The first of all is the caller's to judge. */
  #unborn(cause: unknown): void {
    this.#parts.log.error({ err: cause }, "worker can't be made");
    if (this.#stopping || (this.#workers.size === 0 && this.#quickDeaths === 0)) return;
    this.#replace({ pid: undefined, code: null, signal: null, livedMs: 0 });
  }

  /** Its counts stay, its states don't. */
  #bury(worker: number): void {
    const counts = this.#told.get(worker)?.filter(({ type }) => String(type) !== "gauge") ?? [];
    this.#told.delete(worker);
    this.#ended = this.#ended.then((before) => AggregatorRegistry.aggregate([before, counts]).getMetricsAsJSON());
  }

  #replace(died: {
    readonly pid: number | undefined;
    readonly code: number | null;
    readonly signal: string | null;
    readonly livedMs: number;
  }): void {
    this.#quickDeaths = died.livedMs < STEADY_MS ? this.#quickDeaths + 1 : 1;
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#quickDeaths - 1));
    this.#parts.log.error({ ...died, delayMs }, "worker ended; starting another");
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#spawn();
    }, delayMs);
    this.#restarts.add(timer);
  }

  async #page(): Promise<string> {
    const ask = ++this.#lastAsk;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#measurements.delete(ask);
        resolve();
      };
      const timer = setTimeout(done, MEASURE_WITHIN_MS);
      this.#measurements.set(ask, { open: new Set(this.#workers.keys()), done });
      for (const worker of this.#workers.values()) tell(worker, { kind: "measure", ask });
    });
    if (this.#told.size === 0) throw new Error("no worker has said what it measured");
    return AggregatorRegistry.aggregate([await this.#ended, ...this.#told.values()]).metrics();
  }

  #measured(ask: number, worker: number, metrics: Measured): void {
    if (metrics.length > 0 && this.#workers.has(worker)) this.#told.set(worker, metrics);
    const measurement = this.#measurements.get(ask);
    if (measurement === undefined) return;
    measurement.open.delete(worker);
    if (measurement.open.size === 0) measurement.done();
  }
}

function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
