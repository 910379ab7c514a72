/** A worker's end of the channel to its supervisor. */
import cluster from "node:cluster";
import type { Measured } from "../telemetry/metrics.js";
import type { FromWorker, ToWorker } from "./messages.js";

/** The supervisor is gone, or too busy to sum: the scraper is told an error rather than one worker's share. */
const PAGE_WITHIN_MS = 4_000;

export class Member {
  readonly #pages = new Map<number, (text: string) => void>();
  #lastId = 0;
  #stop: () => void = () => undefined;
  #measure: () => Promise<Measured> = async () => [];
  /** The supervisor says so, or is gone. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  /** Null in a process that is nobody's worker. */
  static here(): Member | null {
    return cluster.isWorker ? new Member() : null;
  }

  private constructor() {
    // Without it node ends a worker on the spot, with code 0, when its supervisor is gone.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    process.on("message", (message: ToWorker) => this.#heard(message));
    process.once("disconnect", () => this.#stop());
  }

  measureBy(measure: () => Promise<Measured>): void {
    this.#measure = measure;
  }

  started(ports: { readonly http: number; readonly grpc: number }): void {
    tell({ kind: "started", ports });
  }

  /** The metrics of all workers, summed. */
  page(): Promise<string> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#pages.delete(id);
        reject(new Error("the supervisor did not sum the metrics in time"));
      }, PAGE_WITHIN_MS);
      this.#pages.set(id, (text) => {
        clearTimeout(timer);
        resolve(text);
      });
      tell({ kind: "scrape", id });
    });
  }

  /** An open channel would keep a process that failed. */
  leave(): void {
    if (process.connected) process.disconnect();
  }

  #heard(message: ToWorker): void {
    switch (message.kind) {
      case "stop":
        this.#stop();
        return;
      case "measure":
        this.#measure().then(
          (metrics) => tell({ kind: "measured", ask: message.ask, metrics }),
          // Left out of the sum.
          () => tell({ kind: "measured", ask: message.ask, metrics: [] }),
        );
        return;
      case "page":
        this.#pages.get(message.id)?.(message.text);
        this.#pages.delete(message.id);
    }
  }
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
