/**
 * A store over an SQL database that several nodes share: operations are checked here, collected in a lane and committed in groups; reads
 * go through a pool. What each method promises is written in ../store.js, what a database does differently in its own folder.
 */
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
  StoreUnavailable,
  type StuckAsk,
  type SubmitResult,
  type Summary,
} from "../store.js";
import type { Connect } from "./database.js";
import { Flusher } from "./flush.js";
import { Line } from "./line.js";
import { type Answer, type Answers, type OfKind, type Operation, weightOf } from "./operation.js";
import { SweepFloor } from "./sweep-floor.js";
import { fitted, isStorable, type Limits, NO_LIMITS, refuseBranches, refuseLoaded, refusePayloads, refuseText } from "./texts.js";

/** What doesn't go through the lane: reads of what is committed, and the heartbeat, which waits behind none of them (R2). */
export interface Reads {
  ping(): Promise<void>;
  heartbeat(epoch: string, leaseMs: Millis): Promise<boolean>;
  retire(epoch: string): Promise<void>;
  liveEpochs(): Promise<readonly string[]>;
  /** When the oldest transaction of ours was created; null for none. */
  oldestOwn(): Promise<Millis | null>;
  find(gid: string): Promise<Loaded | null>;
  ownedBy(owner: Owner): Promise<readonly Loaded[]>;
  waitingDestinations(atLeast: number): Promise<readonly string[]>;
  list(filter: ListFilter): Promise<Page>;
  summary(ask: StuckAsk): Promise<Summary>;
  findKeys(filter: { readonly cat: string; readonly key: string }): Promise<readonly KeyValue[]>;
  scanKeys(page: { readonly cat: string; readonly position: string; readonly limit: number }): Promise<{
    readonly entries: readonly KeyValue[];
    readonly nextPosition: string;
  }>;
  close(): Promise<void>;
}

export interface RelationalParts {
  /** How long an operation waits for a database that just went away. Default: 5 s (R7). */
  readonly patienceMs?: number | undefined;
  readonly flushed?: Flushed;
  /** A connection for the lane. */
  readonly connect: Connect;
  /** Looks at the server, brings the schema up to date, and says what it takes; or, in one line, what keeps it from it. */
  readonly prepare: () => Promise<Limits>;
  readonly reads: Reads;
}

export class RelationalStore implements Store {
  readonly shared = true;
  readonly #parts: RelationalParts;
  readonly #flusher: Flusher;
  /** One for all, which keeps the order of everything (docs/decisions/write-lanes.md). */
  readonly #lane: Lane<Operation, Answer>;
  readonly #floor = new SweepFloor(() => this.#reads.oldestOwn());
  #limits = NO_LIMITS;
  #state: "new" | "open" | "closed" = "new";

  constructor(parts: RelationalParts) {
    this.#parts = parts;
    this.#flusher = new Flusher(new Line(parts.connect, parts.patienceMs));
    this.#lane = new Lane((batch) => this.#flusher.flush(batch), { flushed: parts.flushed, nextFirst: true });
  }

  async open(): Promise<void> {
    if (this.#state !== "new") throw new StoreUnavailable(`the store can't be opened: it is ${this.#state}`);
    try {
      this.#limits = await this.#parts.prepare();
      this.#state = "open";
    } catch (cause) {
      await this.#parts.reads.close();
      throw cause;
    }
  }

  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    await this.#lane.close();
    await this.#flusher.close();
    await this.#parts.reads.close();
  }

  async ping(): Promise<void> {
    await this.#reads.ping();
  }

  async heartbeat(epoch: string, leaseMs: Millis): Promise<boolean> {
    return this.#reads.heartbeat(epoch, leaseMs);
  }

  async retire(epoch: string): Promise<void> {
    await this.#reads.retire(epoch);
  }

  async liveEpochs(): Promise<readonly string[]> {
    return this.#reads.liveEpochs();
  }

  async create(loaded: Loaded): Promise<CreateResult> {
    this.#refuse(loaded);
    this.#floor.created(loaded.transaction.createTime);
    return this.#write({ kind: "create", gid: loaded.transaction.gid, loaded });
  }

  async submit(loaded: Loaded): Promise<SubmitResult> {
    this.#refuse(loaded);
    this.#floor.created(loaded.transaction.createTime);
    return this.#write({ kind: "submit", gid: loaded.transaction.gid, loaded });
  }

  async registerBranches(gid: string, branches: readonly Branch[]): Promise<Answers["register"]> {
    if (!isStorable("gid", gid)) return "not-prepared";
    refuseBranches(gid, branches);
    refusePayloads(gid, branches, this.#limits);
    return this.#write({ kind: "register", gid, branches });
  }

  async change(gid: string, change: CallerChange): Promise<CallerResult> {
    if (!isStorable("gid", gid)) return { kind: "refused", current: null };
    if (change.result !== undefined) refuseText("result", change.result, gid);
    return this.#write({ kind: "change", gid, change: withFittingReason(change) });
  }

  async nudge(gid: string, at: Millis): Promise<boolean> {
    if (!isStorable("gid", gid)) return false;
    return this.#write({ kind: "nudge", gid, at });
  }

  async move(gid: string, move: DriverMove): Promise<MoveResult> {
    return this.#write({ kind: "move", gid, move: withFittingReason(move) });
  }

  async recordBranches(gid: string, fence: Fence, results: readonly BranchResult[], at: Millis): Promise<FencedResult> {
    return this.#write({ kind: "record", gid, fence, results, at });
  }

  async rest(gid: string, rest: Rest): Promise<FencedResult> {
    const waitingOn = fitted("waiting_on", rest.waitingOn);
    return this.#write({ kind: "rest", gid, rest: waitingOn === rest.waitingOn ? rest : { ...rest, waitingOn } });
  }

  async claimDue(claim: Claim): Promise<Claimed> {
    return this.#write({ kind: "claimDue", claim });
  }

  async ownedBy(owner: Owner): Promise<readonly Loaded[]> {
    return isStorable("owner", owner) && owner !== "" ? this.#reads.ownedBy(owner) : [];
  }

  async claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]> {
    return this.#write({ kind: "claimWaiting", destination: fitted("waiting_on", destination), claim });
  }

  async wakeWaiting(destination: string, limit: number, at: Millis): Promise<number> {
    return this.#write({ kind: "wakeWaiting", destination: fitted("waiting_on", destination), limit, at });
  }

  async waitingDestinations(atLeast: number): Promise<readonly string[]> {
    return this.#reads.waitingDestinations(atLeast);
  }

  async find(gid: string): Promise<Loaded | null> {
    return isStorable("gid", gid) ? this.#reads.find(gid) : null;
  }

  async list(filter: ListFilter): Promise<Page> {
    if (!isStorable("gid", filter.gidPrefix ?? "")) return { transactions: [], nextPosition: "" };
    return this.#reads.list(filter);
  }

  async resetDue(reset: { readonly after: Millis; readonly at: Millis; readonly limit: number }): Promise<Answers["resetDue"]> {
    const { after, at, limit } = reset;
    return this.#write({ kind: "resetDue", after, at, limit });
  }

  async summary(ask: StuckAsk): Promise<Summary> {
    return this.#reads.summary(ask);
  }

  async sweep({ endedBefore, limit }: { readonly endedBefore: Millis; readonly limit: number }): Promise<number> {
    const known = this.#floor.at(endedBefore);
    // Asked outside of the lane, where everybody's writes would wait for the answer.
    const createdFrom = known instanceof Promise ? await known : known;
    return createdFrom === null ? 0 : this.#write({ kind: "sweep", createdFrom, endedBefore, limit });
  }

  async createKey(entry: { cat: string; key: string; value: string; at: number }): Promise<"created" | "exists"> {
    const { cat, key, value, at } = entry;
    refuseText("cat", cat, key);
    refuseText("k", key, key);
    refuseText("v", value, key);
    return this.#write({ kind: "createKey", cat, key, value, at });
  }

  async updateKey(entry: { cat: string; key: string; value: string; version: number; at: number }): Promise<boolean> {
    const { cat, key, value, version, at } = entry;
    if (!isStorable("cat", cat) || !isStorable("k", key)) return false;
    refuseText("v", value, key);
    return this.#write({ kind: "updateKey", cat, key, value, version, at });
  }

  async deleteKey(cat: string, key: string): Promise<boolean> {
    if (!isStorable("cat", cat) || !isStorable("k", key)) return false;
    return this.#write({ kind: "deleteKey", cat, key });
  }

  async findKeys(filter: { cat: string; key: string }): Promise<readonly KeyValue[]> {
    return isStorable("cat", filter.cat) && isStorable("k", filter.key) ? this.#reads.findKeys(filter) : [];
  }

  async scanKeys(page: { cat: string; position: string; limit: number }): Promise<{
    readonly entries: readonly KeyValue[];
    readonly nextPosition: string;
  }> {
    return isStorable("cat", page.cat) ? this.#reads.scanKeys(page) : { entries: [], nextPosition: "" };
  }

  #refuse(loaded: Loaded): void {
    refuseLoaded(loaded);
    refusePayloads(loaded.transaction.gid, loaded.branches, this.#limits);
  }

  get #reads(): Reads {
    if (this.#state !== "open") throw new StoreUnavailable(`the store is ${this.#state}`);
    return this.#parts.reads;
  }

  /** A batch answers each operation in its own kind's shape; the lane between us erased the type. */
  async #write<K extends Operation["kind"]>(operation: OfKind<K> & Operation): Promise<Answers[K]> {
    if (this.#state !== "open") throw new StoreUnavailable(`the store is ${this.#state}`);
    return (await this.#lane.push(operation, weightOf(operation))) as Answers[K];
  }
}

function withFittingReason<C extends { readonly rollbackReason?: string }>(change: C): C {
  const { rollbackReason = "" } = change;
  const fitting = fitted("rollback_reason", rollbackReason);
  return fitting === rollbackReason ? change : { ...change, rollbackReason: fitting };
}
