/**
 * What each operation of a batch does and is answered, the same on every SQL database: waves go kind by kind, so that many operations
 * are few statements. What memory/store.ts does in plain maps is done here over rows.
 */
import { type Branch, isFinal, type Loaded, mergeSubmitted, type Transaction } from "../../engine/transaction.js";
import type { BranchResult, CallerChange } from "../store.js";
import type { Answer, GidOperation, OfKind, Operation, WideOperation } from "./operation.js";
import { runQuick } from "./quick.js";
import { type DriverChange, epochOf, type GidResult, type Statements } from "./statements.js";
import { waves } from "./waves.js";

/** A row that was there a moment ago is gone: the same batch again finds out. */
export class RowVanished extends Error {
  override readonly name = "RowVanished";
}

export type AnswerOf = Map<Operation, Answer>;

/** Quickly: with the assumptions of quick.ts, and `Overtaken` when one doesn't hold. */
export async function runBatch(sql: Statements, batch: readonly Operation[], how: "quickly" | "carefully"): Promise<AnswerOf> {
  const answers: AnswerOf = new Map();
  for (const wave of waves(batch)) {
    if (wave.kind === "wide") answers.set(wave.operation, await runWide(sql, wave.operation));
    else {
      const left = how === "quickly" ? await runQuick(sql, wave.operations, answers) : wave.operations;
      if (left.length > 0) await runWave(sql, left, answers);
    }
  }
  return answers;
}

async function runWide(sql: Statements, operation: WideOperation): Promise<Answer> {
  switch (operation.kind) {
    case "claimDue": {
      if (await lives(sql, operation.claim.owner)) return sql.claimDue(operation.claim);
      return { claimed: [], nextDue: await sql.nextDue() };
    }
    case "claimWaiting": {
      const { destination, claim } = operation;
      if (destination === "" || !(await lives(sql, claim.owner))) return [];
      return sql.claimWaiting(destination, claim);
    }
    case "wakeWaiting":
      return operation.destination === "" ? 0 : sql.wakeWaiting(operation.destination, operation.limit, operation.at);
    case "resetDue":
      return sql.resetDue(operation.after, operation.at, operation.limit);
    case "sweep":
      return sql.sweep(operation);
    case "createKey":
      return (await sql.createKey(operation)) ? "created" : "exists";
    case "updateKey":
      return sql.updateKey(operation);
    case "deleteKey":
      return sql.deleteKey(operation.cat, operation.key);
  }
}

async function lives(sql: Statements, owner: string): Promise<boolean> {
  const epoch = epochOf(owner);
  return (await sql.liveEpochs([epoch])).has(epoch);
}

type Fresh = OfKind<"create" | "submit">;
type Driver = OfKind<"move" | "record" | "rest">;
type Locked = OfKind<"register" | "change" | "nudge" | "submit">;

/** What a wave gathers on its way, to be written and read in one statement each. */
class Gathered {
  readonly replaced: Transaction[] = [];
  readonly branches: Branch[] = [];
  readonly results: GidResult[] = [];
  /** Answered from what is stored at the end of the wave. */
  readonly later: { readonly operation: GidOperation; readonly answer: (current: Loaded | null) => Answer }[] = [];
}

async function runWave(sql: Statements, operations: readonly GidOperation[], answers: AnswerOf): Promise<void> {
  const inOrder = [...operations].sort((a, b) => (a.gid < b.gid ? -1 : 1));
  const gathered = new Gathered();
  // As they came, since ids tell the order of listing. Two nodes that create the same gids crosswise are told apart by a deadlock.
  const fresh = operations.filter((operation): operation is Fresh => operation.kind === "create" || operation.kind === "submit");
  const known = await insert(sql, fresh, gathered, answers);
  await drive(sql, inOrder.filter(isDriver), gathered, answers);
  const locked = inOrder.filter(
    (operation): operation is Locked =>
      operation.kind === "register" || operation.kind === "change" || operation.kind === "nudge" || known.has(operation),
  );
  await decide(sql, locked, gathered, answers);
  if (gathered.replaced.length > 0) sql.replaceGlobals(gathered.replaced);
  if (gathered.branches.length > 0) sql.insertBranches(gathered.branches);
  if (gathered.results.length > 0) await sql.settle(gathered.results);
  if (gathered.later.length === 0) return;
  const loaded = await sql.load(gathered.later.map(({ operation }) => operation.gid));
  for (const { operation, answer } of gathered.later) answers.set(operation, answer(loaded.get(operation.gid) ?? null));
}

/** Returns the submits whose gid is taken. */
async function insert(
  sql: Statements,
  fresh: readonly Fresh[],
  gathered: Gathered,
  answers: AnswerOf,
): Promise<ReadonlySet<GidOperation>> {
  const known = new Set<GidOperation>();
  if (fresh.length === 0) return known;
  const created = await sql.insertGlobals(fresh.map(({ loaded }) => loaded.transaction));
  for (const operation of fresh) {
    if (created.has(operation.gid)) {
      gathered.branches.push(...operation.loaded.branches);
      answers.set(operation, { kind: "created" });
    } else if (operation.kind === "submit") known.add(operation);
    else gathered.later.push({ operation, answer: (current) => ({ kind: "exists", current: existing(current, operation.gid) }) });
  }
  return known;
}

function isDriver(operation: GidOperation): operation is Driver {
  return operation.kind === "move" || operation.kind === "record" || operation.kind === "rest";
}

async function drive(sql: Statements, drivers: readonly Driver[], gathered: Gathered, answers: AnswerOf): Promise<void> {
  const changes = drivers.map(driverChange).filter((change) => !isFinal(change.from));
  if (drivers.length === 0) return;
  const applied = changes.length === 0 ? new Set<string>() : await sql.drive(changes);
  for (const operation of drivers) {
    const { gid } = operation;
    if (!applied.has(gid)) {
      gathered.later.push({ operation, answer: (current) => ({ kind: "refused", current }) });
      continue;
    }
    for (const result of resultsOf(operation)) gathered.results.push({ gid, ...result });
    if (operation.kind !== "move") answers.set(operation, { kind: "done" });
    else if (operation.move.status !== "prepared") answers.set(operation, { kind: "moved", branches: null });
    else
      gathered.later.push({
        operation,
        answer: (current) => ({ kind: "moved", branches: existing(current, gid).branches }),
      });
  }
}

function resultsOf(operation: Driver): readonly BranchResult[] {
  switch (operation.kind) {
    case "move":
      return operation.move.results;
    case "record":
      return operation.results;
    case "rest":
      return operation.rest.results;
  }
}

const UNTOUCHED = { wake: null, nextCronInterval: null, attempts: null, refusals: null };

/** Each of one literal: to spread first and to name more then is slow (docs/decisions/garbage.md). */
function driverChange(operation: Driver): DriverChange {
  const { gid } = operation;
  switch (operation.kind) {
    case "move": {
      const { owner, status, to, at, rollbackReason = "", nextCronTime = null } = operation.move;
      const release = isFinal(to);
      const waitingOn = release ? "" : null;
      return { gid, owner, from: status, to, at, rollbackReason, nextCronTime, waitingOn, release, ...UNTOUCHED };
    }
    case "record": {
      const { owner, status } = operation.fence;
      const { at } = operation;
      const more = { rollbackReason: "", nextCronTime: null, waitingOn: null, release: false };
      return { gid, owner, from: status, to: status, at, ...more, ...UNTOUCHED };
    }
    case "rest": {
      const { owner, status, wake, at, nextCronTime, nextCronInterval, attempts, refusals, waitingOn } = operation.rest;
      const schedule = { nextCronTime, nextCronInterval, attempts, refusals, waitingOn };
      return { gid, owner, from: status, wake, to: status, at, rollbackReason: "", ...schedule, release: true };
    }
  }
}

/** What is decided from the row as it is now, which stays locked until it is written. */
async function decide(sql: Statements, locked: readonly Locked[], gathered: Gathered, answers: AnswerOf): Promise<void> {
  if (locked.length === 0) return;
  const registering = locked.filter(({ kind }) => kind === "register").map(({ gid }) => gid);
  const leasing = locked.filter(({ kind }) => kind === "submit" || kind === "change");
  const asking = new Set(leasing.map(wantedBy).map(epochOf));
  // Asked at once and answered in this order: who looks for keys and epochs holds the locks.
  const [stored, asked, keys] = await together([
    sql.lockGlobals(locked.map(({ gid }) => gid)),
    alive(sql, asking),
    registering.length === 0 ? [] : sql.branchKeys(registering),
  ]);
  const holding = leasing.map(({ gid }) => epochOf(stored.get(gid)?.owner ?? ""));
  const others = await alive(sql, new Set(holding.filter((epoch) => !asking.has(epoch))));
  const live = new Set([...asked, ...others]);
  const taken = new Set(keys.map(({ gid, branchId, op }) => `${gid}\n${branchId}\n${op}`));
  for (const operation of locked) {
    const current = stored.get(operation.gid);
    switch (operation.kind) {
      case "register":
        answers.set(operation, register(operation, current, taken, gathered));
        break;
      case "nudge":
        answers.set(operation, current !== undefined);
        if (current !== undefined) gathered.replaced.push(nudged(current, operation.at));
        break;
      case "submit": {
        if (current === undefined) throw new RowVanished(`${operation.gid} was taken a moment ago, and is gone`);
        if (current.status !== "prepared") {
          gathered.later.push({ operation, answer: (now) => ({ kind: "exists", current: existing(now, operation.gid) }) });
          break;
        }
        const { owner } = operation.loaded.transaction;
        const moved = lease(mergeSubmitted(current, operation.loaded.transaction), owner, live);
        gathered.replaced.push(moved);
        const leased = holds(moved, owner);
        gathered.later.push({ operation, answer: (now) => ({ kind: "moved", loaded: existing(now, operation.gid), leased }) });
        break;
      }
      case "change": {
        const { change } = operation;
        if (current === undefined || !change.from.includes(current.status)) {
          gathered.later.push({ operation, answer: (now) => ({ kind: "refused", current: now }) });
          break;
        }
        const changed = changedBy(current, change, live);
        gathered.replaced.push(changed);
        const leased = holds(changed, change.owner);
        gathered.later.push({ operation, answer: (now) => ({ kind: "changed", loaded: existing(now, operation.gid), leased }) });
      }
    }
  }
}

function register(
  { gid, branches }: OfKind<"register">,
  current: Transaction | undefined,
  taken: Set<string>,
  gathered: Gathered,
): "registered" | "duplicate" | "not-prepared" {
  if (current?.status !== "prepared") return "not-prepared";
  for (const { branchId, op } of branches) {
    const key = `${gid}\n${branchId}\n${op}`;
    if (taken.has(key)) return "duplicate";
    taken.add(key);
  }
  gathered.branches.push(...branches);
  return "registered";
}

/** Rejects with the first error in order, and not before all are over: nothing may be left that goes on in the next transaction. */
async function together<T extends readonly unknown[]>(work: [...T]): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  for (const end of await Promise.allSettled(work)) if (end.status === "rejected") throw end.reason;
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}

/** Whom the operation would give the transaction to. */
function wantedBy(operation: Locked): string {
  if (operation.kind === "submit") return operation.loaded.transaction.owner;
  return operation.kind === "change" ? operation.change.owner : "";
}

async function alive(sql: Statements, epochs: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const named = [...epochs].filter((epoch) => epoch !== "");
  return named.length === 0 ? new Set() : sql.liveEpochs(named);
}

function changedBy(current: Transaction, change: CallerChange, live: ReadonlySet<string>): Transaction {
  const { to, at, owner } = change;
  const changed: Transaction = {
    ...current,
    status: to,
    updateTime: at,
    rollbackReason: current.rollbackReason || (change.rollbackReason ?? ""),
    result: change.result ?? current.result,
    nextCronTime: at,
    waitingOn: "",
  };
  if (!isFinal(to)) return lease(changed, owner, live);
  return { ...changed, ...(to === "succeed" ? { finishTime: at } : { rollbackTime: at }), owner: "" };
}

/** A caller's change takes the lease only where no live owner has it; otherwise the owner is told by `wake` (R5). */
function lease(transaction: Transaction, owner: string, live: ReadonlySet<string>): Transaction {
  if (live.has(epochOf(transaction.owner))) return { ...transaction, wake: transaction.wake + 1 };
  return { ...transaction, owner: live.has(epochOf(owner)) ? owner : "" };
}

function holds(transaction: Transaction, owner: string): boolean {
  return owner !== "" && transaction.owner === owner;
}

function nudged(current: Transaction, at: number): Transaction {
  const touched = { ...current, nextCronTime: at, updateTime: at };
  return isFinal(current.status) ? touched : { ...touched, wake: current.wake + 1, waitingOn: "" };
}

function existing(current: Loaded | null, gid: string): Loaded {
  if (current === null) throw new RowVanished(`${gid} was there a moment ago, and is gone`);
  return current;
}
