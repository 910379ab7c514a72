/**
 * The reference model: every promise of `store.ts` in plain maps, one synchronous step per method, so that what a real
 * store must do can be read here. Tests, the simulation and the in-process test kit run on it.
 */
import { isFinal, type Loaded, type Millis, mergeSubmitted, type Owner, type Transaction } from "../../engine/transaction.js";
import type {
  BranchResult,
  CallerChange,
  CallerResult,
  Claim,
  Claimed,
  CreateResult,
  DriverMove,
  Fence,
  FencedResult,
  ListFilter,
  MoveResult,
  Page,
  Rest,
  Store,
  StuckAsk,
  SubmitResult,
  Summary,
} from "../store.js";
import { MemoryKeys } from "./keys.js";

export interface MemoryOptions {
  /** The store's own clock, which judges heartbeats (R2). */
  readonly now: () => Millis;
  /** True to model a store that several nodes share. Default false. */
  readonly shared?: boolean;
}

export function openMemory(options: MemoryOptions): Store {
  return new MemoryStore(options);
}

export class MemoryStore extends MemoryKeys implements Store {
  readonly shared: boolean;
  readonly #now: () => Millis;
  readonly #rows = new Map<string, Loaded>();
  /** What is not final: what claims look at, so that finished rows cost nothing. */
  readonly #unfinished = new Set<string>();
  readonly #alive = new Map<string, Millis>();
  readonly #dead = new Set<string>();
  #lastId = 0;

  constructor(options: MemoryOptions) {
    super();
    this.#now = options.now;
    this.shared = options.shared ?? false;
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async ping(): Promise<void> {}

  async heartbeat(epoch: string, leaseMs: Millis): Promise<boolean> {
    if (this.#dead.has(epoch)) return false;
    this.#alive.set(epoch, this.#now() + leaseMs);
    return true;
  }

  async retire(epoch: string): Promise<void> {
    this.#alive.delete(epoch);
    this.#dead.add(epoch);
  }

  async liveEpochs(): Promise<readonly string[]> {
    return [...this.#alive.keys()];
  }

  async create(loaded: Loaded): Promise<CreateResult> {
    const current = this.#rows.get(loaded.transaction.gid);
    if (current !== undefined) return { kind: "exists", current };
    this.#insert(loaded);
    return { kind: "created" };
  }

  async submit(loaded: Loaded): Promise<SubmitResult> {
    const wanted = loaded.transaction;
    const current = this.#rows.get(wanted.gid);
    if (current === undefined) {
      this.#insert(loaded);
      return { kind: "created" };
    }
    if (current.transaction.status !== "prepared") return { kind: "exists", current };
    const merged = mergeSubmitted(current.transaction, wanted);
    const moved = this.#put({ transaction: this.#lease(merged, wanted.owner), branches: current.branches });
    return { kind: "moved", loaded: moved, leased: this.#holds(moved, wanted.owner) };
  }

  async registerBranches(gid: string, branches: Loaded["branches"]): Promise<"registered" | "duplicate" | "not-prepared"> {
    const current = this.#rows.get(gid);
    if (current?.transaction.status !== "prepared") return "not-prepared";
    const known = new Set(current.branches.map((branch) => `${branch.branchId}\n${branch.op}`));
    for (const branch of branches) {
      const key = `${branch.branchId}\n${branch.op}`;
      if (known.has(key)) return "duplicate";
      known.add(key);
    }
    this.#put({ ...current, branches: [...current.branches, ...branches.map((branch) => ({ ...branch, id: ++this.#lastId }))] });
    return "registered";
  }

  async change(gid: string, change: CallerChange): Promise<CallerResult> {
    const current = this.#rows.get(gid) ?? null;
    if (current === null || !change.from.includes(current.transaction.status)) return { kind: "refused", current };
    const changed: Transaction = {
      ...current.transaction,
      status: change.to,
      updateTime: change.at,
      rollbackReason: current.transaction.rollbackReason || (change.rollbackReason ?? ""),
      result: change.result ?? current.transaction.result,
      nextCronTime: change.at,
      waitingOn: "",
    };
    const loaded = this.#put({
      transaction: isFinal(change.to) ? finished(changed, change.at) : this.#lease(changed, change.owner),
      branches: current.branches,
    });
    return { kind: "changed", loaded, leased: this.#holds(loaded, change.owner) };
  }

  async nudge(gid: string, at: Millis): Promise<boolean> {
    const current = this.#rows.get(gid);
    if (current === undefined) return false;
    this.#put({
      ...current,
      transaction: isFinal(current.transaction.status)
        ? { ...current.transaction, nextCronTime: at, updateTime: at }
        : due(current.transaction, at),
    });
    return true;
  }

  async move(gid: string, move: DriverMove): Promise<MoveResult> {
    const current = this.#fenced(gid, move);
    if (current.kind === "refused") return current;
    const { transaction, branches } = current.loaded;
    const moved: Transaction = {
      ...transaction,
      status: move.to,
      updateTime: move.at,
      rollbackReason: transaction.rollbackReason || (move.rollbackReason ?? ""),
      nextCronTime: move.nextCronTime ?? transaction.nextCronTime,
    };
    const loaded = this.#put({
      transaction: isFinal(move.to) ? finished(moved, move.at) : moved,
      branches: settle(branches, move.results),
    });
    return { kind: "moved", branches: move.status === "prepared" ? loaded.branches : null };
  }

  async recordBranches(gid: string, fence: Fence, results: readonly BranchResult[], at: Millis): Promise<FencedResult> {
    const current = this.#fenced(gid, fence);
    if (current.kind === "refused") return current;
    this.#put({
      transaction: { ...current.loaded.transaction, updateTime: at },
      branches: settle(current.loaded.branches, results),
    });
    return { kind: "done" };
  }

  async rest(gid: string, rest: Rest): Promise<FencedResult> {
    const current = this.#fenced(gid, rest);
    if (current.kind === "refused") return current;
    const { transaction, branches } = current.loaded;
    if (transaction.wake !== rest.wake) return { kind: "refused", current: current.loaded };
    this.#put({
      transaction: {
        ...transaction,
        owner: "",
        updateTime: rest.at,
        nextCronTime: rest.nextCronTime,
        nextCronInterval: rest.nextCronInterval,
        attempts: rest.attempts,
        refusals: rest.refusals,
        waitingOn: rest.waitingOn,
      },
      branches: settle(branches, rest.results),
    });
    return { kind: "done" };
  }

  async claimDue(claim: Claim): Promise<Claimed> {
    this.#buryExpired();
    const resting: Loaded[] = [];
    const claimable: Loaded[] = [];
    for (const loaded of this.#unfinishedRows()) {
      const { owner, nextCronTime } = loaded.transaction;
      if (owner === "" ? nextCronTime <= claim.now : !this.#lives(owner)) claimable.push(loaded);
      else if (owner === "") resting.push(loaded);
    }
    claimable.sort(
      (a, b) =>
        urgency(a) - urgency(b) || a.transaction.nextCronTime - b.transaction.nextCronTime || a.transaction.id - b.transaction.id,
    );
    const left = claimable.slice(claim.limit);
    const waiting = [...resting, ...left].map((loaded) => loaded.transaction.nextCronTime);
    return {
      claimed: (this.#lives(claim.owner) ? claimable.slice(0, claim.limit) : []).map((loaded) => this.#own(loaded, claim.owner)),
      nextDue: waiting.length === 0 ? null : waiting.reduce((a, b) => Math.min(a, b)),
    };
  }

  async ownedBy(owner: Owner): Promise<readonly Loaded[]> {
    return this.#unfinishedRows().filter((loaded) => loaded.transaction.owner === owner);
  }

  async claimWaiting(destination: string, claim: Claim): Promise<readonly Loaded[]> {
    this.#buryExpired();
    return this.#waitingOn(destination)
      .slice(0, this.#lives(claim.owner) ? claim.limit : 0)
      .map((loaded) => this.#own(loaded, claim.owner));
  }

  async wakeWaiting(destination: string, limit: number, at: Millis): Promise<number> {
    const woken = this.#waitingOn(destination).slice(0, limit);
    for (const loaded of woken) this.#put({ ...loaded, transaction: due(loaded.transaction, at) });
    return woken.length;
  }

  async waitingDestinations(atLeast: number): Promise<readonly string[]> {
    const counts = new Map<string, number>();
    for (const { transaction } of this.#unfinishedRows()) {
      if (transaction.owner === "" && transaction.waitingOn !== "")
        counts.set(transaction.waitingOn, (counts.get(transaction.waitingOn) ?? 0) + 1);
    }
    return [...counts].filter(([, count]) => count >= atLeast).map(([destination]) => destination);
  }

  async find(gid: string): Promise<Loaded | null> {
    return this.#rows.get(gid) ?? null;
  }

  /** For tests: what is stored, in the same tick. */
  peek(gid: string): Loaded | null {
    return this.#rows.get(gid) ?? null;
  }

  async list(filter: ListFilter): Promise<Page> {
    const before = filter.position ? Number(filter.position) : Number.POSITIVE_INFINITY;
    const matching = [...this.#rows.values()]
      .map((loaded) => loaded.transaction)
      .filter((transaction) => transaction.id < before && matches(transaction, filter))
      .sort((a, b) => b.id - a.id);
    const transactions = matching.slice(0, filter.limit);
    const last = transactions.at(-1);
    return { transactions, nextPosition: matching.length > filter.limit && last ? String(last.id) : "" };
  }

  async resetDue(reset: {
    readonly after: Millis;
    readonly at: Millis;
    readonly limit: number;
  }): Promise<{ count: number; remaining: boolean }> {
    const later = this.#unfinishedRows().filter((loaded) => loaded.transaction.nextCronTime > reset.after);
    const chosen = later.slice(0, reset.limit);
    for (const loaded of chosen) this.#put({ ...loaded, transaction: due(loaded.transaction, reset.at) });
    return { count: chosen.length, remaining: later.length > chosen.length };
  }

  async summary(ask: StuckAsk): Promise<Summary> {
    const rows = this.#unfinishedRows().map((loaded) => loaded.transaction);
    const stuck = rows.filter(
      ({ type, attempts, refusals, nextCronTime }) =>
        attempts >= ask.stuckAttempts[type] || refusals >= ask.stuckRefusals || nextCronTime < ask.overdueBefore,
    );
    return {
      unfinished: rows.length,
      oldest: rows.length === 0 ? null : rows.map((row) => row.createTime).reduce((a, b) => Math.min(a, b)),
      stuck: stuck.length,
    };
  }

  async sweep({ endedBefore, limit }: { readonly endedBefore: Millis; readonly limit: number }): Promise<number> {
    const old = [...this.#rows.values()].filter(({ transaction }) => (endedAt(transaction) ?? endedBefore) < endedBefore);
    const removed = old.slice(0, limit);
    for (const { transaction } of removed) this.#rows.delete(transaction.gid);
    return removed.length;
  }

  #insert(loaded: Loaded): void {
    const transaction = { ...loaded.transaction, id: ++this.#lastId };
    this.#put({ transaction, branches: loaded.branches.map((branch) => ({ ...branch, id: ++this.#lastId })) });
  }

  #put(loaded: Loaded): Loaded {
    const { gid, status } = loaded.transaction;
    this.#rows.set(gid, loaded);
    if (isFinal(status)) this.#unfinished.delete(gid);
    else this.#unfinished.add(gid);
    return loaded;
  }

  #unfinishedRows(): Loaded[] {
    return [...this.#unfinished].flatMap((gid) => this.#rows.get(gid) ?? []);
  }

  #waitingOn(destination: string): Loaded[] {
    return this.#unfinishedRows()
      .filter(({ transaction }) => transaction.owner === "" && transaction.waitingOn === destination)
      .sort((a, b) => urgency(a) - urgency(b) || a.transaction.nextCronTime - b.transaction.nextCronTime);
  }

  #own(loaded: Loaded, owner: Owner): Loaded {
    return this.#put({ ...loaded, transaction: { ...loaded.transaction, owner } });
  }

  /** A caller's change takes the lease only where no live owner has it; otherwise the owner is told by `wake` (R5). */
  #lease(transaction: Transaction, owner: Owner): Transaction {
    this.#buryExpired();
    if (transaction.owner !== "" && this.#lives(transaction.owner)) return { ...transaction, wake: transaction.wake + 1 };
    return { ...transaction, owner: owner !== "" && this.#lives(owner) ? owner : "" };
  }

  #holds(loaded: Loaded, owner: Owner): boolean {
    return owner !== "" && loaded.transaction.owner === owner;
  }

  #fenced(gid: string, fence: Fence): { kind: "held"; loaded: Loaded } | { kind: "refused"; current: Loaded | null } {
    const loaded = this.#rows.get(gid) ?? null;
    if (
      loaded === null ||
      loaded.transaction.owner !== fence.owner ||
      loaded.transaction.status !== fence.status ||
      isFinal(fence.status)
    ) {
      return { kind: "refused", current: loaded };
    }
    return { kind: "held", loaded };
  }

  /** A dead epoch is marked dead before its rows are claimed, and never revives (R2). */
  #buryExpired(): void {
    for (const [epoch, until] of this.#alive) {
      if (until > this.#now()) continue;
      this.#alive.delete(epoch);
      this.#dead.add(epoch);
    }
  }

  #lives(owner: Owner): boolean {
    return !this.shared || this.#alive.has(owner.slice(0, owner.lastIndexOf(":")));
  }
}

/** One that ended elsewhere counts from when it came here; dtm's rows may lack the finer times. */
function endedAt({ status, finishTime, rollbackTime, updateTime }: Transaction): Millis | null {
  return isFinal(status) ? Math.max(finishTime ?? rollbackTime ?? updateTime, updateTime) : null;
}

/** Compensations go before new work. */
function urgency(loaded: Loaded): number {
  return loaded.transaction.status === "aborting" ? 0 : 1;
}

function due(transaction: Transaction, at: Millis): Transaction {
  return { ...transaction, nextCronTime: at, updateTime: at, wake: transaction.wake + 1, waitingOn: "" };
}

function finished(transaction: Transaction, at: Millis): Transaction {
  const times = transaction.status === "succeed" ? { finishTime: at } : { rollbackTime: at };
  return { ...transaction, ...times, owner: "", waitingOn: "" };
}

function settle(branches: Loaded["branches"], results: readonly BranchResult[]): Loaded["branches"] {
  if (results.length === 0) return branches;
  const settled = new Map(results.map((result) => [`${result.branchId}\n${result.op}`, result]));
  return branches.map((branch) => {
    const result = settled.get(`${branch.branchId}\n${branch.op}`);
    if (result === undefined || branch.status !== "prepared") return branch;
    const times = result.status === "succeed" ? { finishTime: result.at } : { rollbackTime: result.at };
    return { ...branch, status: result.status, updateTime: result.at, ...times };
  });
}

function matches(transaction: Transaction, filter: ListFilter): boolean {
  return (
    (filter.status === undefined || transaction.status === filter.status) &&
    (filter.type === undefined || transaction.type === filter.type) &&
    (filter.gidPrefix === undefined || transaction.gid.startsWith(filter.gidPrefix)) &&
    (filter.createdFrom === undefined || transaction.createTime >= filter.createdFrom) &&
    (filter.createdTo === undefined || transaction.createTime <= filter.createdTo)
  );
}
