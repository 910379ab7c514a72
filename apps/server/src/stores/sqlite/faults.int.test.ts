/** The folder, the file and the threads: what an operator or a crash can do to them. */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { openIn, temporaryFolder } from "../../../test/kit/temporary-sqlite.js";
import { NOW, newGid, plain, saga, tcc } from "../contract/fixtures.js";
import { MemoryStore } from "../memory/store.js";
import { MigrationRefused } from "../migrate.js";
import { type Store, StoreUnavailable } from "../store.js";
import { Database } from "./database.js";
import { DatabaseUnusable, FolderInUse, FolderUnusable } from "./errors.js";
import { openSqlite } from "./store.js";
import type { FromWorker, WorkerStart } from "./wire.js";
import { workerFile } from "./worker-file.js";

/** Opening a store on a busy machine; nothing is measured here. */
jest.setTimeout(120_000);

let folder: string;
const opened: Store[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(path = folder, options: Parameters<typeof openIn>[1] = {}): Promise<Store> {
  const store = await openIn(path, options);
  opened.push(store);
  return store;
}

describe("the folder", () => {
  test("a second server is refused and told who has it; a closed one frees it (R25)", async () => {
    const first = await open();
    await expect(open()).rejects.toThrow(new RegExp(`pid ${process.pid} .*${folder}`));
    await expect(open()).rejects.toBeInstanceOf(FolderInUse);
    await first.ping();
    await first.close();
    await (await open()).ping();
  });

  test("a process that was killed leaves nothing in the way, and what it was told is there", async () => {
    const gid = newGid();
    const child = await otherServer(gid);
    await expect(open()).rejects.toThrow(`pid ${child.pid} `);
    child.kill("SIGKILL");
    await child.ended;
    const store = await open();
    expect((await store.find(gid))?.transaction.status).toBe("submitted");
  });

  test("a pid file proves nothing, even when a process has that number by now", async () => {
    writeFileSync(join(folder, "dtm.pid"), `${process.ppid} elsewhere\n`);
    await (await open()).ping();
  });

  test("it is made when absent, whatever its name holds", async () => {
    const store = await open(join(folder, "a b", "100% #1? ü"));
    await store.create(saga());
    expect((await store.list({ limit: 9 })).transactions).toHaveLength(1);
  });

  test("a path that can't be a folder is named", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    await expect(open(file)).rejects.toBeInstanceOf(FolderUnusable);
    await expect(open(join(file, "below"))).rejects.toThrow(join(file, "below"));
  });
});

describe("the file", () => {
  test("what isn't a database stops the start, and frees the folder", async () => {
    writeFileSync(join(folder, "dtm.db"), "not a database, ".repeat(1000));
    await expect(open()).rejects.toBeInstanceOf(DatabaseUnusable);
    rmSync(join(folder, "dtm.db"));
    await (await open()).ping();
  });

  test("what can't be opened stops the start", async () => {
    mkdirSync(join(folder, "dtm.db"));
    await expect(open()).rejects.toBeInstanceOf(DatabaseUnusable);
  });

  test("a newer schema stops the start with both versions", async () => {
    await (await open()).close();
    const db = new Database(join(folder, "dtm.db"), { busyMs: 0 });
    db.exec("INSERT INTO schema_migrations VALUES (99, 'from the future', 'x', 0)");
    db.close();
    await expect(open()).rejects.toThrow(/99 \(from the future\)/);
    await expect(open()).rejects.toBeInstanceOf(MigrationRefused);
  });
});

describe("a worker that ends", () => {
  test("before it did anything: the batch runs in the next one", async () => {
    await sameAsMemory("unheard");
  });

  test("after the commit, before the reply: the answers are the same, and nothing happens twice", async () => {
    await sameAsMemory("unanswered");
  });

  test("in the middle of many: each is answered once, and what is acknowledged is there", async () => {
    const workers: Worker[] = [];
    const store = await open(folder, {
      spawn: (file, start) => {
        const worker = new Worker(file, { workerData: start });
        if (file === workerFile("writer")) workers.push(worker);
        return worker;
      },
    });
    const given = Array.from({ length: 2_000 }, () => saga({ owner: "here:1" }));
    const creates = given.map((loaded) => store.create(loaded));
    await creates[0];
    void workers[0]?.terminate();
    const answers = await Promise.all(creates);
    expect(answers.filter(({ kind }) => kind === "created")).toHaveLength(2_000);
    expect(workers).toHaveLength(2);
    // Their owners are alive: only a new process leaves anything behind.
    expect(await store.ownedBy("here:1")).toHaveLength(2_000);
  });

  test("twice: the process is told to end, nobody waits for ever", async () => {
    const fatal: Error[] = [];
    const writers: Worker[] = [];
    const store = await open(folder, {
      onFatal: (cause) => fatal.push(cause),
      spawn: (file, start) => {
        const worker = new Worker(file, { workerData: start });
        if (file === workerFile("writer")) writers.push(worker);
        return worker;
      },
    });
    await writers[0]?.terminate();
    await store.ping();
    await writers[1]?.terminate();
    await expect(store.create(saga())).rejects.toThrow(StoreUnavailable);
    expect(fatal).toHaveLength(1);
  });

  test("a reader's end costs a read nothing", async () => {
    const readers: Worker[] = [];
    const store = await open(folder, {
      spawn: (file, start) => {
        const worker = new Worker(file, { workerData: start });
        if (file === workerFile("reader")) readers.push(worker);
        return worker;
      },
    });
    const given = saga();
    await store.create(given);
    const found = store.find(given.transaction.gid);
    void readers[0]?.terminate();
    expect(plain(await found)).toEqual(plain(given));
    expect((await store.list({ limit: 9 })).transactions).toHaveLength(1);
  });

  /** One burst of every kind of write, of which the writer hears nothing, or whose reply nobody hears. */
  async function sameAsMemory(lost: "unheard" | "unanswered"): Promise<void> {
    let armed = false;
    let crashes = 0;
    const crash = (worker: Worker): void => {
      armed = false;
      crashes++;
      void worker.terminate();
    };
    const spawnWriter = (file: string, start: WorkerStart): Worker => {
      const worker = new Worker(file, { workerData: start });
      if (file !== workerFile("writer")) return worker;
      const post = worker.postMessage.bind(worker);
      const on = worker.on.bind(worker);
      worker.postMessage = (message: unknown) => (armed && lost === "unheard" ? crash(worker) : post(message));
      worker.on = ((event: string, listener: (message: FromWorker<unknown>) => void) =>
        on(event, (message: FromWorker<unknown>) => {
          if (event === "message" && armed && message.kind === "reply") crash(worker);
          else listener(message);
        })) as Worker["on"];
      return worker;
    };
    const store = await open(folder, { spawn: spawnWriter });
    const memory = new MemoryStore({ now: () => NOW });
    const prepared = tcc();
    const driven = saga({ owner: "here:1" });
    const due = saga({ nextCronTime: NOW });
    const before = [prepared, driven, due];
    const fresh = saga();
    const burst = async (on: Store): Promise<unknown[]> =>
      Promise.all([
        on.create(fresh),
        on.submit({ ...prepared, transaction: { ...prepared.transaction, status: "submitted", owner: "here:2" } }),
        on.registerBranches(prepared.transaction.gid, []),
        on.move(driven.transaction.gid, { owner: "here:1", status: "submitted", to: "succeed", at: NOW, results: [] }),
        on.claimDue({ owner: "here:3", limit: 9, now: NOW }),
        on.createKey({ cat: "topics", key: "a", value: "v", at: NOW }),
      ]);
    for (const loaded of before) {
      await memory.create(loaded);
      await store.create(loaded);
    }
    armed = true;
    const answers = JSON.parse(JSON.stringify(await burst(store), withoutIds)) as unknown;
    expect(answers).toEqual(JSON.parse(JSON.stringify(await burst(memory), withoutIds)));
    expect(crashes).toBe(1);
    for (const loaded of [...before, fresh]) {
      const { gid } = loaded.transaction;
      expect(plain(await store.find(gid))).toEqual(plain(await memory.find(gid)));
    }
  }
});

function withoutIds(key: string, value: unknown): unknown {
  if (key === "id") return 0;
  if (key === "payload")
    return Buffer.from(value instanceof Uint8Array ? value : (value as { data: number[] }).data).toString("hex");
  return value;
}

test("opening twice and closing twice are harmless", async () => {
  const store = openSqlite({ folder, log: { debug() {}, info() {}, warn() {}, error() {} }, onFatal: () => undefined });
  await expect(store.find("a")).rejects.toThrow(StoreUnavailable);
  await store.open();
  await expect(store.open()).rejects.toThrow(StoreUnavailable);
  await store.close();
  await store.close();
});

/** Another process with the folder and one transaction in it. */
async function otherServer(gid: string) {
  const entry = pathToFileURL(workerFile("writer").replace(/writer\.js$/, "store.js")).href;
  const script = `
    const { openSqlite } = await import(${JSON.stringify(entry)});
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const store = openSqlite({ folder: ${JSON.stringify(folder)}, log, onFatal() {} });
    await store.open();
    await store.create(JSON.parse(${JSON.stringify(JSON.stringify({ ...saga({ gid }), branches: [] }))}));
    process.stdout.write("ready");`;
  // A file, since workers inherit the options that running a string needs, and refuse them.
  const file = join(folder, "other-server.mjs");
  writeFileSync(file, script);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
  return { pid: child.pid, kill: (signal: NodeJS.Signals) => child.kill(signal), ended };
}

test("numbers beyond 32 bits are listed like all others", async () => {
  const first = await open();
  await first.create(saga({ gid: "a" }));
  await first.close();
  const db = new Database(join(folder, "dtm.db"), { busyMs: 5_000 });
  db.exec(`UPDATE trans_global SET id = ${2 ** 31 - 2}`);
  db.close();
  const store = await open();
  for (const gid of ["b", "c", "d"]) await store.create(saga({ gid }));
  const gids: string[] = [];
  for (let position = "", pages = 0; pages < 5; pages++) {
    const page = await store.list({ limit: 1, position });
    gids.push(...page.transactions.map(({ gid }) => gid));
    position = page.nextPosition;
    if (position === "") break;
  }
  expect(gids).toEqual(["d", "c", "b", "a"]);
});
