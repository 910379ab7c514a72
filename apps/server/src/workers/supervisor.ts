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
/** A worker that doesn't answer is left out of the sum. */
const MEASURE_WITHIN_MS = 2_000;

export interface SupervisorParts {
  readonly count: number;
  readonly log: Log;
}

interface Measurement {
  readonly open: Set<number>;
  readonly metrics: Measured[];
  readonly done: () => void;
}

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #workers = new Map<number, Worker>();
  readonly #measurements = new Map<number, Measurement>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #lastAsk = 0;
  #quickDeaths = 0;
  #stopping = false;
  #idle: () => void = () => undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
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
    const worker = cluster.fork();
    const born = performance.now();
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
      // A channel that broke, or a process that could not be made: "exit" tells what follows from it.
      worker.on("error", (cause) => this.#parts.log.error({ err: cause }, "worker can't be reached"));
      worker.once("exit", (code, signal) => {
        this.#workers.delete(worker.id);
        for (const ask of this.#measurements.keys()) this.#measured(ask, worker.id, []);
        resolve(null);
        if (this.#stopping) {
          if (this.#workers.size === 0) this.#idle();
          return;
        }
        // The first of all is the caller's to judge.
        if (!started && this.#workers.size === 0 && this.#quickDeaths === 0) return;
        this.#replace({ pid: worker.process.pid, code, signal, livedMs: Math.round(performance.now() - born) });
      });
    });
  }

  #replace(died: {
    readonly pid: number | undefined;
    readonly code: number;
    readonly signal: string;
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
    const metrics = await new Promise<Measured[]>((resolve) => {
      const found: Measured[] = [];
      const done = (): void => {
        clearTimeout(timer);
        this.#measurements.delete(ask);
        resolve(found);
      };
      const timer = setTimeout(done, MEASURE_WITHIN_MS);
      this.#measurements.set(ask, { open: new Set(this.#workers.keys()), metrics: found, done });
      for (const worker of this.#workers.values()) tell(worker, { kind: "measure", ask });
    });
    return AggregatorRegistry.aggregate(metrics).metrics();
  }

  #measured(ask: number, worker: number, metrics: Measured): void {
    const measurement = this.#measurements.get(ask);
    if (measurement === undefined) return;
    if (metrics.length > 0) measurement.metrics.push(metrics);
    measurement.open.delete(worker);
    if (measurement.open.size === 0) measurement.done();
  }
}

function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
