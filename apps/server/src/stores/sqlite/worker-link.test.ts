import { EventEmitter } from "node:events";
import type { Worker } from "node:worker_threads";
import { quiet } from "../../../test/kit/quiet-log.js";
import { MigrationRefused } from "../migrate.js";
import { StoreRejected, StoreUnavailable } from "../store.js";
import { DatabaseUnusable } from "./errors.js";
import type { FromWorker, ToWorker } from "./wire.js";
import { WorkerLink } from "./worker-link.js";

/** A worker that answers when the test says so. */
class FakeWorker extends EventEmitter {
  readonly asked: ToWorker<string>[] = [];

  postMessage(message: ToWorker<string>): void {
    this.asked.push(message);
  }

  say(message: FromWorker<string>): void {
    this.emit("message", message);
  }

  asks(): { request: string; again: boolean }[] {
    return this.asked.flatMap((message) =>
      message.kind === "ask" ? [{ request: message.ask.request, again: message.ask.again }] : [],
    );
  }

  answer(request: string, reply: string): void {
    for (const message of this.asked) {
      if (message.kind === "ask" && message.ask.request === request) this.say({ kind: "reply", id: message.ask.id, reply });
    }
  }
}

function link() {
  const workers: FakeWorker[] = [];
  const firsts: boolean[] = [];
  const fatal: Error[] = [];
  const made = new WorkerLink<string, string>({
    name: "writer",
    log: quiet,
    onFatal: (cause) => fatal.push(cause),
    spawn: (first) => {
      const worker = new FakeWorker();
      workers.push(worker);
      firsts.push(first);
      return worker as unknown as Worker;
    },
  });
  const worker = (place: number): FakeWorker => {
    const found = workers[place];
    if (found === undefined) throw new Error(`no worker ${place} was started`);
    return found;
  };
  return { link: made, worker, firsts, fatal };
}

async function ready() {
  const made = link();
  const started = made.link.start();
  made.worker(0).say({ kind: "ready" });
  await started;
  return made;
}

test("an answer finds its asker, in any order; a failure is thrown as the store's own error", async () => {
  const { link, worker } = await ready();
  const answers = [link.ask("a"), link.ask("b")];
  worker(0).answer("b", "B");
  worker(0).answer("a", "A");
  expect(await Promise.all(answers)).toEqual(["A", "B"]);
  const rejected = link.ask("c");
  worker(0).say({ kind: "reply", id: 3, reply: { failed: "rejected", message: "full" } });
  await expect(rejected).rejects.toThrow(StoreRejected);
  const unavailable = link.ask("d");
  worker(0).say({ kind: "reply", id: 4, reply: { failed: "unavailable", message: "busy" } });
  await expect(unavailable).rejects.toThrow(StoreUnavailable);
});

test("after an exit the next worker is asked again, and told so; what is new is asked plainly (R25)", async () => {
  const { link, worker, firsts, fatal } = await ready();
  const open = link.ask("open");
  worker(0).emit("exit", 1);
  const meanwhile = link.ask("meanwhile");
  expect(worker(1).asks()).toEqual([]);
  worker(1).say({ kind: "ready" });
  expect(worker(1).asks()).toEqual([
    { request: "open", again: true },
    { request: "meanwhile", again: false },
  ]);
  worker(1).answer("open", "done");
  worker(1).answer("meanwhile", "too");
  expect(await Promise.all([open, meanwhile])).toEqual(["done", "too"]);
  expect(firsts).toEqual([true, false]);
  expect(fatal).toEqual([]);
});

test("a second exit within a minute is fatal, and nobody is left waiting", async () => {
  const { link, worker, fatal } = await ready();
  const open = link.ask("open");
  worker(0).emit("error", new Error("out of memory"));
  worker(0).emit("exit", 1);
  worker(1).say({ kind: "ready" });
  worker(1).emit("exit", 1);
  await expect(open).rejects.toThrow(StoreUnavailable);
  await expect(link.ask("later")).rejects.toThrow("twice within a minute");
  expect(fatal.map((cause) => cause.message)).toEqual(["the sqlite writer ended twice within a minute"]);
});

describe("with a clock in hand", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test("what can't be read back within 5 s stays unknown", async () => {
    const { link, worker } = await ready();
    const open = link.ask("open");
    worker(0).emit("exit", 1);
    const outcome = expect(open).rejects.toThrow(StoreUnavailable);
    await jest.advanceTimersByTimeAsync(5_000);
    await outcome;
  });

  test("two exits further apart are two restarts", async () => {
    const { link, worker, fatal } = await ready();
    worker(0).emit("exit", 1);
    worker(1).say({ kind: "ready" });
    await jest.advanceTimersByTimeAsync(61_000);
    worker(1).emit("exit", 1);
    worker(2).say({ kind: "ready" });
    const asked = link.ask("still there");
    worker(2).answer("still there", "yes");
    expect(await asked).toBe("yes");
    expect(fatal).toEqual([]);
  });
});

test("what a worker says about the database stops the start, by its class", async () => {
  const newer = link();
  const refused = newer.link.start();
  newer.worker(0).say({ kind: "unusable", name: "MigrationRefused", message: "a newer schema" });
  await expect(refused).rejects.toThrow(MigrationRefused);
  const broken = link();
  const ended = broken.link.start();
  broken.worker(0).emit("exit", 1);
  await expect(ended).rejects.toThrow(DatabaseUnusable);
  expect(broken.fatal).toEqual([]);
});

test("close lets the worker end, which is no crash then", async () => {
  const { link, worker, fatal, firsts } = await ready();
  const closed = link.close();
  expect(worker(0).asked.at(-1)).toEqual({ kind: "close" });
  worker(0).emit("exit", 0);
  await closed;
  expect(firsts).toEqual([true]);
  expect(fatal).toEqual([]);
});
