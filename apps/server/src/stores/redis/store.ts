/**
 * Transactions in Redis: one server, one behind Sentinels, or a Cluster; several nodes may share it. Each operation is one script over one
 * slot (rules.md R26), and those that arrive during a flush go out together. What each method promises is written in ../store.js, what
 * Redis itself may lose in README.md.
 */
import type { Log } from "../../engine/coordinator.js";
import type { Branch, Loaded, Millis, Owner } from "../../engine/transaction.js";
import { type Flushed, Lane } from "../lane.js";
import { isLikelyPrepared } from "../likely-prepared.js";
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
import type { RedisAddress } from "./address.js";
import { checkLayout, checkMaster, checkServer, type Judged } from "./check.js";
import { Claims } from "./claims.js";
import { Dispatcher, type Replicas } from "./dispatch.js";
import { Ids } from "./ids.js";
import { Keys, shardOf, TAGS, type Tag } from "./keys.js";
import { entriesFrom, fieldOf } from "./kv.js";
import { Listing } from "./listing.js";
import { liveEpochs } from "./live-epochs.js";
import { CHANGE } from "./lua/change.js";
import { CREATE } from "./lua/create.js";
import { CREATE_KEY, DELETE_KEY, UPDATE_KEY } from "./lua/keys.js";
import { MOVE } from "./lua/move.js";
import { NUDGE } from "./lua/nudge.js";
import { RECORD } from "./lua/record.js";
import { REGISTER } from "./lua/register.js";
import { REST } from "./lua/rest.js";
import { SUBMIT } from "./lua/submit.js";
import { TRIAL } from "./lua/trial.js";
import { Nodes } from "./nodes.js";
import { refusedAtStart } from "./refusals.js";
import {
  type Argument,
  branchField,
  branchValue,
  loadedFrom,
  optionsText,
  resultArguments,
  rowFields,
  settledField,
  settledText,
} from "./rows.js";
import type { Script } from "./script.js";
import { isStorable, refuse, refuseBranches, refuseLoaded, refuseNumbers, storable } from "./text.js";
import { Topology } from "./topology.js";
import { type Write, Writer, type Written } from "./writes.js";

export interface RedisOptions extends RedisAddress {
  /** Begins every key. */
  readonly prefix: string;
  readonly replicas: Replicas;
  readonly flushed?: Flushed;
  readonly log?: Pick<Log, "warn">;
}

/** Opens nothing yet: `open` does, and says what keeps it from it (RedisUnusable). */
export function openRedis(options: RedisOptions): Store {
  return new RedisStore(options);
}

class RedisStore implements Store {
  readonly shared = true;
  readonly #options: RedisOptions;
  readonly #keys: Keys;
  readonly #topology: Topology;
  /** Writes have connections of their own: what waits for replicas or for a long batch holds up nothing else. */
  readonly #writing: Dispatcher;
  readonly #reading: Dispatcher;
  readonly #nodes: Nodes;
  readonly #claims: Claims;
  readonly #listing: Listing;
  readonly #ids: Ids;
  /** Some for each node that a Cluster has at the start, so that a node that is away holds up its own only. A tag's lane stays its own. */
  readonly #lanes = new Map<string, Lane<Write, Written>>();
  readonly #laneOf = new Map<Tag, Lane<Write, Written>>();
  /** Of new transactions, which need a number: where another node counts, they wait for it apart from those that are there already. */
  readonly #newLaneOf = new Map<Tag, Lane<Write, Written>>();
  /** Gids that are on their way there, with how often: what concerns them goes behind. */
  readonly #onNewLane = new Map<string, number>();
  #state: "new" | "open" | "closed" = "new";

  constructor(options: RedisOptions) {
    this.#options = options;
    this.#keys = new Keys(options.prefix);
    this.#topology = new Topology(options, this.#keys);
    this.#writing = new Dispatcher(options, this.#topology, options.replicas);
    this.#reading = new Dispatcher(options, this.#topology, options.replicas);
    this.#nodes = new Nodes(this.#reading, this.#keys);
    this.#claims = new Claims(this.#reading, this.#keys, this.#nodes);
    this.#listing = new Listing(this.#reading, this.#keys);
    this.#ids = new Ids(this.#writing, this.#keys);
  }

  async open(): Promise<void> {
    if (this.#state !== "new") throw new StoreUnavailable(`the store can't be opened: it is ${this.#state}`);
    try {
      await this.#prepare();
      this.#state = "open";
    } catch (cause) {
      this.#hangUp();
      throw refusedAtStart(cause, this.#options);
    }
  }

  async #prepare(): Promise<void> {
    for (const master of await this.#masters()) this.#warnOfFewReplicas(master);
    const ask = (command: string, key: string, ...args: string[]): Promise<unknown> =>
      this.#writing.one({ tag: "meta", command, keys: [key], args });
    await checkLayout({ key: this.#keys.of("meta", "layout"), ask }, this.#keys);
    await this.#writing.one({ tag: "meta", script: TRIAL, keys: [this.#keys.of("meta", "trial")], args: [] });
    for (const [place, tag] of TAGS.entries()) {
      const node = this.#topology.nodeOf(tag);
      const name = `${node} ${place % LANES_PER_NODE}`;
      this.#laneOf.set(tag, this.#laneNamed(name));
      if (node !== this.#topology.nodeOf("meta")) this.#newLaneOf.set(tag, this.#laneNamed(`${name} new`));
    }
  }

  async #masters(): Promise<readonly Judged[]> {
    const server = await checkServer(this.#options);
    if (!server.cluster) return [server];
    await this.#topology.useCluster();
    const places = this.#topology.oneTagEach().map((tag) => this.#topology.placeOf(this.#topology.nodeOf(tag)));
    const masters: Judged[] = [];
    for (const place of places) if (place !== null) masters.push(await checkMaster(this.#options, place));
    return masters;
  }

  /** They may come yet, so it is no reason to stop. */
  #warnOfFewReplicas({ where, replicas }: Judged): void {
    const { count } = this.#options.replicas;
    if (replicas >= count) return;
    const words =
      "fewer replicas are connected than Store.WaitReplicas (STORE_WAIT_REPLICAS) asks for: until they are, writes fail";
    this.#options.log?.warn({ redis: where, replicas, waitReplicas: count }, words);
  }

  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
    this.#hangUp();
  }

  #hangUp(): void {
    this.#writing.close();
    this.#reading.close();
  }

  async ping(): Promise<void> {
    this.#mustBeOpen();
    const calls = this.#topology.oneTagEach().map((tag) => ({ tag, command: "PING", keys: [], args: [] }));
    await this.#reading.all(calls);
  }

  async heartbeat(epoch: string, leaseMs: Millis): Promise<boolean> {
    this.#mustBeOpen();
    refuse(epoch, "an epoch");
    return this.#nodes.heartbeat(epoch, leaseMs);
  }

  async retire(epoch: string): Promise<void> {
    this.#mustBeOpen();
    await this.#nodes.retire(epoch);
  }

  async liveEpochs(): Promise<readonly string[]> {
    this.#mustBeOpen();
    return liveEpochs(this.#reading, this.#nodes);
  }

  async create(loaded: Loaded): Promise<CreateResult> {
    refuseLoaded(loaded);
    const { gid } = loaded.transaction;
    const args = (id: number): Argument[] => [gid, ...rowFields(loaded, id)];
    const { word, row } = await this.#write(CREATE, gid, args, { numbered: true, weight: weightOf(loaded.branches) });
    return word === "created" ? { kind: "created" } : { kind: "exists", current: existing(gid, row) };
  }

  async submit(loaded: Loaded): Promise<SubmitResult> {
    refuseLoaded(loaded);
    const { transaction, branches } = loaded;
    const { gid, options, customData, submitTime, updateTime, nextCronInterval, nextCronTime } = transaction;
    const owner = this.#nodes.leasable(transaction.owner);
    const said = [gid, owner, optionsText(options), customData];
    const times = [submitTime ?? "", updateTime, nextCronInterval, nextCronTime].map(String);
    const moving = [...said, ...times];
    const moved = isLikelyPrepared(transaction) ? await this.#write(SUBMIT, gid, () => moving) : null;
    const creating = (id: number): Argument[] => [...moving, ...rowFields(loaded, id)];
    const { word, row } =
      moved === null || moved.word === "absent"
        ? await this.#write(SUBMIT, gid, creating, { numbered: true, weight: weightOf(branches) })
        : moved;
    if (word === "created") return { kind: "created" };
    if (word === "exists") return { kind: "exists", current: existing(gid, row) };
    return { kind: "moved", loaded: existing(gid, row), leased: word === "leased" };
  }

  async registerBranches(gid: string, branches: readonly Branch[]): Promise<"registered" | "duplicate" | "not-prepared"> {
    if (!isStorable(gid)) return "not-prepared";
    refuseBranches(gid, branches);
    const args = branches.flatMap((branch) => {
      const settled = branch.status === "prepared" ? [] : [settledField(branch), settledText(branch)];
      return [branchField(branch), branchValue(branch), ...settled];
    });
    const { word } = await this.#write(REGISTER, gid, () => args, { weight: weightOf(branches) });
    return word === "registered" || word === "duplicate" ? word : "not-prepared";
  }

  async change(gid: string, change: CallerChange): Promise<CallerResult> {
    if (!isStorable(gid)) return { kind: "refused", current: null };
    const { from, to, at, rollbackReason = "", result, owner } = change;
    refuseNumbers(gid, [at]);
    const texts = [storable(rollbackReason), result === undefined ? "" : "1", storable(result ?? "")];
    const args = [gid, from.map((status) => `${status},`).join(""), to, String(at), ...texts, this.#nodes.leasable(owner)];
    const { word, row } = await this.#write(CHANGE, gid, () => args);
    if (word === "refused") return { kind: "refused", current: loadedFrom(gid, row) };
    return { kind: "changed", loaded: existing(gid, row), leased: word === "leased" };
  }

  async nudge(gid: string, at: Millis): Promise<boolean> {
    if (!isStorable(gid)) return false;
    refuseNumbers(gid, [at]);
    return (await this.#write(NUDGE, gid, () => [gid, String(at)])).word === "nudged";
  }

  async move(gid: string, move: DriverMove): Promise<MoveResult> {
    const { owner, status, to, at, results, rollbackReason = "", nextCronTime } = move;
    refuseNumbers(gid, [at, nextCronTime]);
    const due = nextCronTime === undefined ? "" : String(nextCronTime);
    const args = [gid, owner, status, to, String(at), storable(rollbackReason), due, ...resultArguments(results)];
    const { word, row } = await this.#write(MOVE, gid, () => args);
    if (word === "refused") return { kind: "refused", current: loadedFrom(gid, row) };
    return { kind: "moved", branches: status === "prepared" ? existing(gid, row).branches : null };
  }

  async recordBranches(gid: string, fence: Fence, results: readonly BranchResult[], at: Millis): Promise<FencedResult> {
    refuseNumbers(gid, [at]);
    const args = [gid, fence.owner, fence.status, String(at), ...resultArguments(results)];
    return fenced(gid, await this.#write(RECORD, gid, () => args));
  }

  async rest(gid: string, rest: Rest): Promise<FencedResult> {
    const { owner, status, wake, at, nextCronTime, nextCronInterval, attempts, refusals, waitingOn, results } = rest;
    const numbers = [wake, at, nextCronTime, nextCronInterval, attempts, refusals];
    refuseNumbers(gid, numbers);
    const args = [gid, owner, status, ...numbers.map(String), storable(waitingOn), ...resultArguments(results)];
    return fenced(gid, await this.#write(REST, gid, () => args));
  }

  async claimDue(claim: Claim): Promise<Claimed> {
    this.#mustBeOpen();
    return this.#claims.claimDue(claim);
  }

  async ownedBy(owner: Owner): Promise<readonly Loaded[]> {
    this.#mustBeOpen();
    return this.#claims.ownedBy(owner);
  }

  async claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]> {
    this.#mustBeOpen();
    return this.#claims.claimWaiting(destination, claim);
  }

  async wakeWaiting(destination: string, limit: number, at: Millis): Promise<number> {
    this.#mustBeOpen();
    return this.#claims.wakeWaiting(destination, limit, at);
  }

  async waitingDestinations(atLeast: number): Promise<readonly string[]> {
    this.#mustBeOpen();
    return this.#claims.waitingDestinations(atLeast);
  }

  async find(gid: string): Promise<Loaded | null> {
    this.#mustBeOpen();
    if (!isStorable(gid)) return null;
    const key = this.#keys.row(gid);
    return loadedFrom(gid, await this.#reading.one({ tag: shardOf(gid), command: "HGETALL", keys: [key], args: [] }));
  }

  async list(filter: ListFilter): Promise<Page> {
    this.#mustBeOpen();
    return this.#listing.list(filter);
  }

  async resetDue(reset: { readonly after: Millis; readonly at: Millis; readonly limit: number }): Promise<{
    readonly count: number;
    readonly remaining: boolean;
  }> {
    this.#mustBeOpen();
    return this.#claims.resetDue(reset);
  }

  async summary(ask: StuckAsk): Promise<Summary> {
    this.#mustBeOpen();
    return this.#listing.summary(ask);
  }

  async sweep(sweep: { readonly endedBefore: Millis; readonly limit: number }): Promise<number> {
    this.#mustBeOpen();
    return this.#claims.sweep(sweep);
  }

  async createKey(entry: { cat: string; key: string; value: string; at: number }): Promise<"created" | "exists"> {
    const { cat, key, value, at } = entry;
    for (const text of [cat, key, value]) refuse(text, "a key or its value");
    const { word } = await this.#writeKey(CREATE_KEY, cat, key, [String(at), value]);
    return word === "created" ? "created" : "exists";
  }

  async updateKey(entry: { cat: string; key: string; value: string; version: number; at: number }): Promise<boolean> {
    const { cat, key, value, version, at } = entry;
    if (!isStorable(cat) || !isStorable(key)) return false;
    refuse(value, "a key's value");
    return (await this.#writeKey(UPDATE_KEY, cat, key, [String(at), value, String(version)])).word === "updated";
  }

  async deleteKey(cat: string, key: string): Promise<boolean> {
    if (!isStorable(cat) || !isStorable(key)) return false;
    return (await this.#writeKey(DELETE_KEY, cat, key, [])).word === "deleted";
  }

  async findKeys(filter: { cat: string; key: string }): Promise<readonly KeyValue[]> {
    this.#mustBeOpen();
    const flat = await this.#reading.one({ tag: "kv", command: "HGETALL", keys: [this.#keys.of("kv", "entries")], args: [] });
    const { cat, key } = filter;
    return entriesFrom(flat).filter((entry) => (cat === "" || entry.cat === cat) && (key === "" || entry.key === key));
  }

  /** Newest first, like the SQL stores. */
  async scanKeys({ cat, position, limit }: { cat: string; position: string; limit: number }): Promise<{
    readonly entries: readonly KeyValue[];
    readonly nextPosition: string;
  }> {
    const before = position === "" ? Number.POSITIVE_INFINITY : Number(position);
    const found = (await this.findKeys({ cat, key: "" })).filter(({ id }) => id < before).sort((a, b) => b.id - a.id);
    const entries = found.slice(0, limit);
    const last = entries.at(-1);
    return { entries, nextPosition: found.length > limit && last ? String(last.id) : "" };
  }

  #write(
    script: Script,
    gid: string,
    args: (id: number) => readonly Argument[],
    { numbered = false, weight = WEIGHT }: { readonly numbered?: boolean; readonly weight?: number } = {},
  ): Promise<Written> {
    if (this.#state !== "open") return Promise.reject(this.#notOpen());
    const tag = shardOf(gid);
    const keys = [this.#keys.index(tag), this.#keys.row(gid)];
    return this.#push({ script, tag, keys, subject: gid, numbered, args }, weight);
  }

  #writeKey(script: Script, cat: string, key: string, args: readonly string[]): Promise<Written> {
    if (this.#state !== "open") return Promise.reject(this.#notOpen());
    const field = fieldOf(cat, key);
    const write: Write = {
      script,
      tag: "kv",
      keys: [this.#keys.of("kv", "entries")],
      subject: `kv\0${field}`,
      numbered: false,
      args: () => [field, ...args],
    };
    return this.#push(write, WEIGHT + args.join("").length);
  }

  #push(write: Write, weight: number): Promise<Written> {
    const { tag, subject, numbered } = write;
    const newLane = this.#newLaneOf.get(tag);
    if (newLane !== undefined && (numbered || this.#onNewLane.has(subject))) return this.#pushNew(newLane, write, weight);
    const lane = this.#laneOf.get(tag);
    return lane === undefined ? Promise.reject(this.#notOpen()) : lane.push(write, weight);
  }

  async #pushNew(lane: Lane<Write, Written>, write: Write, weight: number): Promise<Written> {
    const { subject } = write;
    this.#onNewLane.set(subject, (this.#onNewLane.get(subject) ?? 0) + 1);
    try {
      return await lane.push(write, weight);
    } finally {
      const left = (this.#onNewLane.get(subject) ?? 1) - 1;
      if (left === 0) this.#onNewLane.delete(subject);
      else this.#onNewLane.set(subject, left);
    }
  }

  #laneNamed(name: string): Lane<Write, Written> {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const writer = new Writer({
      dispatcher: this.#writing,
      keys: this.#keys,
      ids: this.#ids,
      waits: this.#options.replicas.count > 0,
    });
    const lane = new Lane<Write, Written>((writes) => writer.flush(writes), { flushed: this.#options.flushed });
    this.#lanes.set(name, lane);
    return lane;
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw this.#notOpen();
  }

  #notOpen(): StoreUnavailable {
    return new StoreUnavailable(`the store is ${this.#state}`);
  }
}

/** While one waits for its answers, the other sends. */
const LANES_PER_NODE = 2;

/** Roughly what an operation weighs beside its branches. */
const WEIGHT = 500;

function weightOf(branches: readonly Branch[]): number {
  return branches.reduce((sum, { payload, url }) => sum + payload.length + url.length + 100, WEIGHT);
}

function existing(gid: string, row: unknown): Loaded {
  const loaded = loadedFrom(gid, row);
  if (loaded === null) throw new StoreUnavailable(`Redis answered without the row of ${gid} that it spoke of`);
  return loaded;
}

function fenced(gid: string, { word, row }: Written): FencedResult {
  return word === "done" ? { kind: "done" } : { kind: "refused", current: loadedFrom(gid, row) };
}
