/**
 * The main thread's end of a worker: asks and answers by number. When the worker goes, what was asked has an unknown outcome; one new
 * worker is asked again with `again` set, which finds out before it does anything (rules.md R7, R25). A second exit within a minute
 * is fatal.
 */
import type { Worker } from "node:worker_threads";
import type { Log } from "../../engine/coordinator.js";
import { MigrationRefused } from "../migrate.js";
import { StoreRejected, StoreUnavailable } from "../store.js";
import { DatabaseUnusable } from "./errors.js";
import { type Failure, type FromWorker, isFailure, type ToWorker } from "./wire.js";

/** Beyond this the outcome stays unknown to the caller. */
const PATIENCE_MS = 5_000;
const EXITS_APART_MS = 60_000;

export interface LinkParts {
  readonly name: "writer" | "reader";
  /** `first` is false for the worker that follows a crash. */
  readonly spawn: (first: boolean) => Worker;
  readonly onFatal: (cause: Error) => void;
  readonly log: Log;
}

interface Pending<Request, Reply> {
  readonly request: Request;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (cause: Error) => void;
}

export class WorkerLink<Request, Reply> {
  readonly #parts: LinkParts;
  readonly #pending = new Map<number, Pending<Request, Reply>>();
  #worker: Worker | null = null;
  #ready = false;
  #everReady = false;
  #lastId = 0;
  #lastExit = Number.NEGATIVE_INFINITY;
  #crash: Error | null = null;
  #closing = false;
  #broken: Error | null = null;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Rejects with what the worker says about the database. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#spawn(true, resolve, reject));
  }

  ask(request: Request): Promise<Reply> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { request, resolve, reject });
      if (this.#ready) this.#post({ kind: "ask", ask: { id, request, again: false } });
    });
  }

  /** Lets the worker finish what it was asked, close its connection and end. */
  close(): Promise<void> {
    this.#closing = true;
    const worker = this.#worker;
    if (worker === null) return Promise.resolve();
    return new Promise((resolve) => {
      worker.once("exit", () => resolve());
      this.#post({ kind: "close" });
    });
  }

  #spawn(first: boolean, opened: () => void, unusable: (cause: Error) => void): void {
    const worker = this.#parts.spawn(first);
    this.#worker = worker;
    worker.on("message", (message: FromWorker<Reply>) => {
      switch (message.kind) {
        case "ready":
          this.#ready = true;
          this.#everReady = true;
          opened();
          return;
        case "unusable":
          unusable(reasonOf(message));
          return;
        case "reply":
          this.#settle(message.id, message.reply);
      }
    });
    worker.on("error", (cause: Error) => {
      this.#crash = cause;
    });
    worker.on("exit", (code) => {
      this.#worker = null;
      this.#ready = false;
      const cause = this.#crash ?? new Error(`it ended with code ${code}`);
      this.#crash = null;
      // Before it was ready, the opener has to hear of it; afterwards nobody listens any more.
      unusable(
        new DatabaseUnusable(`the sqlite ${this.#parts.name} ended while it opened the database: ${cause.message}`, { cause }),
      );
      if (this.#closing) this.#giveUp(new StoreUnavailable("the store is closed"));
      else if (!this.#everReady) this.#broken = new StoreUnavailable(`the sqlite ${this.#parts.name} never opened`);
      else this.#exited(cause);
    });
  }

  #exited(cause: Error): void {
    const { name, log, onFatal } = this.#parts;
    const now = performance.now();
    const sinceLast = now - this.#lastExit;
    this.#lastExit = now;
    if (sinceLast < EXITS_APART_MS) {
      const fatal = new StoreUnavailable(`the sqlite ${name} ended twice within a minute`, { cause });
      this.#broken = fatal;
      this.#giveUp(fatal);
      onFatal(fatal);
      return;
    }
    log.error({ worker: name, err: cause, operations: this.#pending.size }, "sqlite worker ended; starting another");
    const unknown = [...this.#pending.keys()];
    const patience = setTimeout(() => this.#abandon(unknown), PATIENCE_MS);
    patience.unref();
    const opened = (): void => {
      for (const [id, { request }] of this.#pending)
        this.#post({ kind: "ask", ask: { id, request, again: unknown.includes(id) } });
    };
    this.#spawn(false, opened, () => undefined);
  }

  #settle(id: number, reply: Reply | Failure): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (!isFailure(reply)) pending.resolve(reply);
    else pending.reject(reply.failed === "rejected" ? new StoreRejected(reply.message) : new StoreUnavailable(reply.message));
  }

  #abandon(ids: readonly number[]): void {
    for (const id of ids) {
      this.#pending.get(id)?.reject(new StoreUnavailable(`the sqlite ${this.#parts.name} ended; what came of this is not known`));
      this.#pending.delete(id);
    }
  }

  #giveUp(cause: Error): void {
    for (const { reject } of this.#pending.values()) reject(cause);
    this.#pending.clear();
  }

  #post(message: ToWorker<Request>): void {
    this.#worker?.postMessage(message);
  }
}

function reasonOf({ name, message }: { readonly name: string; readonly message: string }): Error {
  return name === "MigrationRefused" ? new MigrationRefused(message) : new DatabaseUnusable(message);
}
