/**
 * The default store: one SQLite file of one server. Everything that waits for the disk happens in two worker threads; here operations
 * are checked, put into rows and collected for the next commit. What each method promises is written in ../store.js.
 */
import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import type { Log } from "../../engine/coordinator.js";
import type { Branch, Loaded, Millis, Owner } from "../../engine/transaction.js";
import { type Flushed, Lane } from "../lane.js";
import {
  type BranchResult,
  type CallerChange,
  type CallerResult,
  type Claim,
  type Claimed,
  type CreateResult,
  type DriverMove,
  type Fence,
  type FencedResult,
  type KeyValue,
  type ListFilter,
  type MoveResult,
  type Page,
  type Rest,
  type Store,
  StoreRejected,
  StoreUnavailable,
  type StuckAsk,
  type SubmitResult,
  type Summary,
} from "../store.js";
import { type Folder, holdFolder } from "./folder.js";
import { fromLoadedRows } from "./rows.js";
import { isStorable, storable } from "./text.js";
import type { ReadReply, ReadRequest, Word, WorkerStart, WriteReply, WriteRequest } from "./wire.js";
import { workerFile } from "./worker-file.js";
import { WorkerLink } from "./worker-link.js";
import { type Answered, answered, pack, type Write, weightOf, writeOf } from "./writes.js";

export interface SqliteOptions {
  /** Made when absent; one server at a time (R25). */
  readonly folder: string;
  /** Ends the process with code 1: a worker ended twice within a minute. */
  readonly onFatal: (cause: Error) => void;
  readonly log: Log;
  readonly flushed?: Flushed;
  /** Whether opening brings the schema up to date; if not, it refuses a schema that isn't. Default: true. */
  readonly autoMigrate?: boolean;
  /** For what is left behind at the start. Default: the system's clock. */
  readonly now?: () => Millis;
  /** How a worker thread is started. Default: `new Worker`. */
  readonly spawn?: (file: string, start: WorkerStart) => Worker;
}

/** Opens nothing yet: `open` does, and says what keeps it from it (FolderInUse, FolderUnusable, DatabaseUnusable, MigrationRefused). */
export function openSqlite(options: SqliteOptions): Store {
  return new SqliteStore(options);
}

/** Small: most of what a batch makes is garbage by its end, and an idle server should weigh little. */
const LIMITS = { maxYoungGenerationSizeMb: 8 };

class SqliteStore implements Store {
  readonly shared = false;
  readonly #options: SqliteOptions;
  readonly #now: () => Millis;
  readonly #writer: WorkerLink<WriteRequest, WriteReply>;
  readonly #reader: WorkerLink<ReadRequest, ReadReply>;
  readonly #lane: Lane<Write, Answered>;
  /** Makes batch tokens unique beyond this process. */
  readonly #run = randomBytes(9).toString("base64url");
  #batches = 0;
  #folder: Folder | null = null;
  #state: "new" | "open" | "closed" = "new";

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { log, onFatal, flushed } = options;
    this.#lane = new Lane((writes) => this.#flush(writes), { flushed });
    this.#writer = new WorkerLink({ name: "writer", spawn: (first) => this.#spawn("writer", first), log, onFatal });
    this.#reader = new WorkerLink({ name: "reader", spawn: (first) => this.#spawn("reader", first), log, onFatal });
  }

  async open(): Promise<void> {
    if (this.#state !== "new") throw new StoreUnavailable(`the store can't be opened: it is ${this.#state}`);
    this.#folder = await holdFolder(this.#options.folder);
    try {
      // The writer makes the schema that the reader reads.
      await this.#writer.start();
      await this.#reader.start();
      this.#state = "open";
    } catch (cause) {
      await this.#release();
      throw cause;
    }
  }

  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    await this.#lane.close();
    await this.#release();
  }

  async ping(): Promise<void> {
    await Promise.all([this.#write({ kind: "ping" }), this.#read({ kind: "ping" })]);
  }

  async heartbeat(): Promise<boolean> {
    return true;
  }

  async retire(): Promise<void> {}

  async liveEpochs(): Promise<readonly string[]> {
    return [];
  }

  async create(loaded: Loaded): Promise<CreateResult> {
    const { word, rows } = await this.#write(writeOf("create", refuseUnstorable(loaded)));
    return word === "created" ? { kind: "created" } : { kind: "exists", current: one(rows) };
  }

  async submit(loaded: Loaded): Promise<SubmitResult> {
    const { word, rows } = await this.#write(writeOf("submit", refuseUnstorable(loaded)));
    if (word === "created") return { kind: "created" };
    if (word === "exists") return { kind: "exists", current: one(rows) };
    return { kind: "moved", loaded: one(rows), leased: word === "moved and leased" };
  }

  async registerBranches(gid: string, branches: readonly Branch[]): Promise<"registered" | "duplicate" | "not-prepared"> {
    if (!isStorable(gid)) return "not-prepared";
    refuseUnstorableBranches(gid, branches);
    const { word } = await this.#write(writeOf("register", { gid, branches }));
    return word === "registered" || word === "duplicate" ? word : "not-prepared";
  }

  async change(gid: string, change: CallerChange): Promise<CallerResult> {
    if (!isStorable(gid)) return { kind: "refused", current: null };
    const { word, rows } = await this.#write({ kind: "change", gid, change: withPlainTexts(change) });
    if (word === "refused") return { kind: "refused", current: rows[0] ?? null };
    return { kind: "changed", loaded: one(rows), leased: word === "changed and leased" };
  }

  async nudge(gid: string, at: Millis): Promise<boolean> {
    if (!isStorable(gid)) return false;
    return (await this.#write({ kind: "nudge", gid, at })).word === true;
  }

  async move(gid: string, move: DriverMove): Promise<MoveResult> {
    const { word, rows } = await this.#write({ kind: "move", gid, move: withPlainTexts(move) });
    if (word === "refused") return { kind: "refused", current: rows[0] ?? null };
    return { kind: "moved", branches: word === "moved" ? null : one(rows).branches };
  }

  async recordBranches(gid: string, fence: Fence, results: readonly BranchResult[], at: Millis): Promise<FencedResult> {
    return fenced(await this.#write({ kind: "record", gid, fence, results, at }));
  }

  async rest(gid: string, rest: Rest): Promise<FencedResult> {
    return fenced(await this.#write({ kind: "rest", gid, rest }));
  }

  async claimDue(claim: Claim): Promise<Claimed> {
    const { word, rows } = await this.#write({ kind: "claimDue", claim });
    return { claimed: rows, nextDue: typeof word === "number" ? word : null };
  }

  async ownedBy(owner: Owner): Promise<readonly Loaded[]> {
    return this.#readRows({ kind: "ownedBy", owner });
  }

  async claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]> {
    return (await this.#write({ kind: "claimWaiting", destination, claim })).rows;
  }

  async wakeWaiting(destination: string, limit: number, at: Millis): Promise<number> {
    return Number((await this.#write({ kind: "wakeWaiting", destination, limit, at })).word);
  }

  async waitingDestinations(atLeast: number): Promise<readonly string[]> {
    return this.#readValue<readonly string[]>({ kind: "waitingDestinations", atLeast });
  }

  async find(gid: string): Promise<Loaded | null> {
    if (!isStorable(gid)) return null;
    return (await this.#readRows({ kind: "find", gid }))[0] ?? null;
  }

  async list(filter: ListFilter): Promise<Page> {
    return this.#readValue<Page>({ kind: "list", filter });
  }

  async resetDue(reset: { readonly after: Millis; readonly at: Millis; readonly limit: number }): Promise<{
    readonly count: number;
    readonly remaining: boolean;
  }> {
    const { after, at, limit } = reset;
    const { word } = await this.#write({ kind: "resetDue", after, at, limit });
    const [count, remaining] = numbersOf(word);
    return { count: count ?? 0, remaining: remaining === 1 };
  }

  async sweep({ endedBefore, limit }: { readonly endedBefore: Millis; readonly limit: number }): Promise<number> {
    return Number((await this.#write({ kind: "sweep", endedBefore, limit })).word);
  }

  async summary(ask: StuckAsk): Promise<Summary> {
    return this.#readValue<Summary>({ kind: "summary", ...ask });
  }

  async createKey(entry: { cat: string; key: string; value: string; at: number }): Promise<"created" | "exists"> {
    const { cat, key, value, at } = entry;
    for (const text of [cat, key, value]) refuse(text, "a key or its value");
    return (await this.#write({ kind: "createKey", cat, key, value, at })).word === true ? "created" : "exists";
  }

  async updateKey(entry: { cat: string; key: string; value: string; version: number; at: number }): Promise<boolean> {
    const { cat, key, value, version, at } = entry;
    if (!isStorable(cat) || !isStorable(key)) return false;
    refuse(value, "a key's value");
    return (await this.#write({ kind: "updateKey", cat, key, value, version, at })).word === true;
  }

  async deleteKey(cat: string, key: string): Promise<boolean> {
    if (!isStorable(cat) || !isStorable(key)) return false;
    return (await this.#write({ kind: "deleteKey", cat, key })).word === true;
  }

  async findKeys(filter: { cat: string; key: string }): Promise<readonly KeyValue[]> {
    const { cat, key } = filter;
    if (!isStorable(cat) || !isStorable(key)) return [];
    return this.#readValue<readonly KeyValue[]>({ kind: "findKeys", cat, key });
  }

  async scanKeys(page: { cat: string; position: string; limit: number }): Promise<{
    readonly entries: readonly KeyValue[];
    readonly nextPosition: string;
  }> {
    const { cat, position, limit } = page;
    if (!isStorable(cat)) return { entries: [], nextPosition: "" };
    return this.#readValue({ kind: "scanKeys", cat, position, limit });
  }

  #write(write: Write): Promise<Answered> {
    if (this.#state !== "open") return Promise.reject(new StoreUnavailable(`the store is ${this.#state}`));
    return this.#lane.push(write, weightOf(write));
  }

  async #flush(writes: readonly Write[]): Promise<readonly (Answered | Error)[]> {
    const token = `${this.#run}:${++this.#batches}`;
    const reply = await this.#writer.ask({ token, ...pack(writes) });
    return answered(reply);
  }

  #read(request: ReadRequest): Promise<ReadReply> {
    if (this.#state !== "open") return Promise.reject(new StoreUnavailable(`the store is ${this.#state}`));
    return this.#reader.ask(request);
  }

  async #readRows(request: ReadRequest): Promise<Loaded[]> {
    const reply = await this.#read(request);
    return reply.kind === "rows" ? reply.rows.map((rows) => fromLoadedRows(rows, reply.bytes)) : [];
  }

  /** The reader answers each request in the store's own shape; the thread between us erased the type. */
  async #readValue<T>(request: ReadRequest): Promise<T> {
    const reply = await this.#read(request);
    if (reply.kind !== "value") throw new StoreUnavailable(`the sqlite reader answered ${request.kind} with rows`);
    return reply.value as T;
  }

  #spawn(name: "writer" | "reader", first: boolean): Worker {
    const folder = this.#folder;
    if (folder === null) throw new StoreUnavailable("the store is not open");
    const { autoMigrate = true } = this.#options;
    const start: WorkerStart = { file: folder.file, first, now: this.#now(), autoMigrate };
    const file = workerFile(name);
    return this.#options.spawn?.(file, start) ?? new Worker(file, { workerData: start, resourceLimits: LIMITS });
  }

  /** The writer last: it folds the log into the file. */
  async #release(): Promise<void> {
    await this.#reader.close();
    await this.#writer.close();
    this.#folder?.release();
    this.#folder = null;
  }
}

function one(rows: readonly Loaded[]): Loaded {
  const [loaded] = rows;
  if (loaded === undefined) throw new StoreUnavailable("the sqlite store answered without the row it spoke of");
  return loaded;
}

function fenced({ word, rows }: Answered): FencedResult {
  return word === "done" ? { kind: "done" } : { kind: "refused", current: rows[0] ?? null };
}

function numbersOf(word: Word): readonly (number | null)[] {
  return Array.isArray(word) ? word : [];
}

function refuse(text: string, what: string): void {
  if (!isStorable(text)) throw new StoreRejected(`${what} has a NUL or half a surrogate pair, which SQLite would not give back`);
}

function refuseUnstorable(loaded: Loaded): Loaded {
  const { gid, queryPrepared, customData, waitingOn } = loaded.transaction;
  refuse(gid, "the gid");
  refuse(queryPrepared, `query_prepared of ${gid}`);
  refuse(customData, `custom_data of ${gid}`);
  refuse(waitingOn, `waiting_on of ${gid}`);
  refuseUnstorableBranches(gid, loaded.branches);
  return loaded;
}

function refuseUnstorableBranches(gid: string, branches: readonly Branch[]): void {
  for (const { branchId, op, url } of branches) {
    refuse(branchId, `a branch_id of ${gid}`);
    refuse(op, `an op of ${gid}`);
    refuse(url, `a url of ${gid}`);
  }
}

function withPlainTexts<C extends { readonly rollbackReason?: string; readonly result?: string }>(change: C): C {
  const { rollbackReason = "", result = "" } = change;
  if (isStorable(rollbackReason) && isStorable(result)) return change;
  return {
    ...change,
    ...(change.rollbackReason === undefined ? {} : { rollbackReason: storable(rollbackReason) }),
    ...(change.result === undefined ? {} : { result: storable(result) }),
  };
}
