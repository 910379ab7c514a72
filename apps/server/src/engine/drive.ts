/**
 * One node's work on one transaction between claiming and releasing it: asks the machine, carries its steps out, and writes
 * each change behind the status and owner it assumed. It holds all concurrency, so machines have none; when to start a drive and
 * what to do after it is the engine's.
 */
import { type Outcome, RESULT } from "@dtm/protocol";
import type { Participants } from "../participants/participant.js";
import {
  type BranchResult,
  type FencedResult,
  StoreOverloaded,
  StoreUnavailable,
  type TransactionStore,
} from "../stores/store.js";
import type { Clock } from "./clock.js";
import type { Log, Telemetry } from "./coordinator.js";
import type { Caller, Destinations, Entry } from "./destinations.js";
import { branchInvocation, callbackInvocation, requestTimeoutMs } from "./invocation.js";
import { machines } from "./machines.js";
import { schedule } from "./pace.js";
import { type Plan, readPlanLeniently } from "./plan.js";
import type { EngineSettings, TypeSettings } from "./settings.js";
import { type Answer, CALLBACK, type Rest, type Step, type View } from "./step.js";
import {
  type Branch,
  type BranchStatus,
  isFinal,
  type Loaded,
  type Millis,
  type Owner,
  type Transaction,
} from "./transaction.js";

/** Posted to the alert webhook (protocol.md 4.9); `retryCount` = failing drives since the last success (R14). */
export interface AlertEvent {
  readonly gid: string;
  readonly status: string;
  readonly branch: string;
  readonly error: string;
  readonly retryCount: number;
}

export interface DriveContext {
  readonly store: TransactionStore;
  readonly participants: Participants;
  readonly destinations: Destinations;
  readonly clock: Clock;
  readonly settings: EngineSettings;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly alert: (event: AlertEvent) => void;
  readonly random: () => number;
  /** False while this node's heartbeat is unconfirmed: no new call (R2). */
  readonly mayCall: () => boolean;
  readonly stopping: () => boolean;
}

export interface DriveStart {
  readonly loaded: Loaded;
  readonly owner: Owner;
  /** The transaction was created for this drive: nothing was called before it. */
  readonly fresh: boolean;
  /** Its first call goes through an open breaker: a nudge, or a caller who waits (R13). */
  readonly pass: boolean;
  /** It was claimed to probe this destination: a temporary error there is no attempt (R13). */
  readonly probes?: string;
}

export type Ended =
  | { readonly kind: "final"; readonly transaction: Transaction }
  | {
      readonly kind: "rested";
      readonly transaction: Transaction;
      readonly due: Millis;
      readonly answer: Outcome | null;
      readonly why: "pace" | "deferred" | "stopped";
    }
  /** Another owner goes on. */
  | { readonly kind: "lost" }
  /** The store failed or we did. From `callsEndAt` on none of its calls can be in flight; `retryAt` is when to go on unasked. */
  | { readonly kind: "broken"; readonly cause: unknown; readonly callsEndAt: Millis; readonly retryAt: Millis };

type Trouble = Exclude<Outcome, { readonly kind: "success" }>;

const UNTIL_WOKEN: Millis = 60_000;
const UNTIL_A_SLOT: Millis = 1_000;
/** An outage is met by transactions on their first attempts, and later ones are deferred, which is no attempt (R13). */
const ATTEMPTS_THAT_TELL = 3;
/** An answer that needs no I/O (nothing to call, a refused URL) comes in the same tick, so a drive must stop for others by itself. */
const WORK_AT_ONCE = 64;
/** A machine looks at every row in each turn. */
const ROWS_PER_WORK = 256;

export class Drive {
  readonly gid: string;
  readonly owner: Owner;
  readonly startedAt: Millis;
  readonly #context: DriveContext;
  readonly #settings: TypeSettings;
  readonly #fresh: boolean;
  readonly #probes: string | undefined;
  #pass: boolean;
  #transaction: Transaction;
  #branches: Branch[];
  #plan: Plan;
  #pending: BranchResult[] = [];
  #writing: Promise<void> = Promise.resolve();
  /** A new status may be stored already, though this drive hasn't heard of it. */
  #turning = false;
  /** A pending result must be durable before any further call (R6). */
  #recordFirst = false;
  readonly #started = new Set<number>();
  /** Of the answers that count now; a repeat of one is a retry. */
  readonly #called = new Set<number>();
  readonly #inFlight = new Set<number>();
  readonly #answers = new Map<number, Answer>();
  #lastDeadline: Millis = 0;
  #retries = 0;
  #progressed = false;
  #refused = false;
  #retryAfterMs: Millis = 0;
  /** A destination was down, so its answer ends the rest early (R13); who only found no slot rests its second (R12). */
  #shutOut = false;
  /** What keeps it from going on, by place, in the order it was heard; of ongoing and something worse at one place the worse. */
  readonly #troubles = new Map<number, Trouble>();
  #over = false;
  #handOver = false;
  #signalled = false;
  /** Done since it last gave way. */
  #work = 0;
  #wake: (() => void) | null = null;

  constructor(context: DriveContext, start: DriveStart) {
    const { transaction, branches } = start.loaded;
    this.#context = context;
    this.gid = transaction.gid;
    this.owner = start.owner;
    this.startedAt = context.clock.monotonic();
    this.#settings = context.settings.types[transaction.type];
    this.#fresh = start.fresh;
    this.#pass = start.pass || start.probes !== undefined;
    this.#probes = start.probes;
    this.#transaction = transaction;
    this.#branches = [...branches];
    this.#plan = readPlanLeniently(transaction.type, transaction.customData);
  }

  get transaction(): Transaction {
    return this.#transaction;
  }

  async run(): Promise<Ended> {
    try {
      return await this.#loop();
    } catch (cause) {
      return this.#brokenOff(cause);
    } finally {
      this.#over = true;
    }
  }

  /** Writes the results so far, for a caller whose time is up (R11). What it can't write goes with the loop's next write. */
  flush(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#pending.length === 0 || this.#over) return;
      const results = this.#takePending();
      let written = false;
      try {
        written = (await this.#writeResults(results)).kind === "done";
      } finally {
        if (!written) {
          this.#pending.unshift(...results);
          this.#recordFirst = true;
        }
      }
    });
  }

  /** The grace is over: rest now, due when the calls in flight have surely ended (R18). */
  handOver(): void {
    this.#handOver = true;
    this.#signal();
  }

  /** The epoch was declared dead: whoever claims it next goes on, nothing of ours may be written or started (R2). */
  lose(): void {
    this.#over = true;
    this.#signal();
  }

  /** The server stops: no new call is started; look again. */
  notice(): void {
    this.#signal();
  }

  async #loop(): Promise<Ended> {
    for (;;) {
      if (this.#workedLong()) await this.#context.clock.giveWay?.();
      if (this.#over) return { kind: "lost" };
      const ended = this.#handOver
        ? await this.#inTurn(() => this.#handBack())
        : await this.#carryOut(machines[this.#transaction.type](this.#view()));
      if (ended !== null) return ended;
    }
  }

  #workedLong(): boolean {
    this.#work += 1 + this.#branches.length / ROWS_PER_WORK;
    if (this.#work < WORK_AT_ONCE) return false;
    this.#work = 0;
    return true;
  }

  /** A store that failed is tried again after the server's interval; a defect of ours waits as long as the transaction's own has grown. */
  #brokenOff(cause: unknown): Ended {
    const { nextCronInterval } = this.#transaction;
    const outside = cause instanceof StoreUnavailable || cause instanceof StoreOverloaded;
    const interval = outside ? Math.min(nextCronInterval, this.#settings.retryInterval) : nextCronInterval;
    const callsEndAt = this.#lastDeadline;
    return { kind: "broken", cause, callsEndAt, retryAt: Math.max(callsEndAt, this.#now() + interval * 1000) };
  }

  async #carryOut(step: Step): Promise<Ended | null> {
    switch (step.kind) {
      case "call":
        if (this.#context.stopping()) {
          if (this.#inFlight.size === 0) return this.#inTurn(() => this.#handBack());
          await this.#signalOr(undefined);
          return null;
        }
        if (!this.#context.mayCall()) {
          const callsEndAt = Math.max(this.#lastDeadline, this.#now());
          const cause = new Error("the heartbeat is unconfirmed");
          return { kind: "broken", cause, callsEndAt, retryAt: callsEndAt };
        }
        if (this.#recordFirst) return this.#inTurn(() => this.#record());
        for (const place of step.calls) this.#start(place);
        return null;
      case "await":
        await this.#signalOr(step.until);
        return null;
      case "move":
        return this.#turn(step);
      case "rest":
        return this.#inTurn(() => this.#rest(step));
      case "done":
        return { kind: "final", transaction: this.#transaction };
    }
  }

  #view(): View {
    return {
      transaction: this.#transaction,
      branches: this.#branches,
      plan: this.#plan,
      settings: this.#settings,
      now: this.#now(),
      timeoutAt: this.#timeoutAt(),
      fresh: this.#fresh,
      started: this.#started,
      inFlight: this.#inFlight,
      answers: this.#answers,
      retries: this.#retries,
    };
  }

  #start(place: number): void {
    this.#inFlight.add(place);
    const branch = this.#branches[place];
    const invocation =
      branch === undefined
        ? callbackInvocation(this.#transaction, this.#plan, this.#settings)
        : branchInvocation(this.#transaction, branch, this.#settings);
    // Nothing to call is success (protocol.md 3.1).
    if (invocation.url === "") return this.#answered(place, { kind: "success" });
    const destination = this.#context.participants.destinationOf(invocation);
    const { status } = this.#transaction;
    const caller: Caller = { gid: this.gid, undo: status === "aborting", pass: this.#takePass(destination) };
    const retry = this.#called.has(place) ? 1 : 0;
    this.#retries += retry;
    const send = (entry: Entry): void => {
      if (entry.kind === "deferred") {
        // It was no attempt (R13).
        this.#retries -= retry;
        return this.#deferred(place, entry.reason);
      }
      // While it waited for a slot the saga may have turned, or be turning: what was not sent by then never ran (R10).
      const turned = this.#turning || this.#transaction.status !== status;
      if (this.#over || turned || this.#context.stopping() || !this.#context.mayCall()) {
        this.#retries -= retry;
        this.#context.destinations.leave(destination, this.gid, null);
        if (!turned) return this.#deferred(place, "full");
        this.#inFlight.delete(place);
        return this.#signal();
      }
      this.#started.add(place);
      this.#called.add(place);
      this.#lastDeadline = Math.max(this.#lastDeadline, this.#now() + invocation.timeoutMs);
      void this.#context.participants.call(invocation).then((outcome) => {
        this.#context.destinations.leave(destination, this.gid, this.#tellsOfDestination(outcome) ? outcome : null);
        const probing = destination === this.#probes && outcome.kind === "unknown";
        this.#answered(place, outcome, probing);
      });
    };
    const entry = this.#context.destinations.enter(destination, caller);
    if (entry instanceof Promise) void entry.then(send);
    else send(entry);
  }

  /** A transaction that has failed again and again fails for its own data: twenty such would close a well destination to all others. */
  #tellsOfDestination(outcome: Outcome): boolean {
    return outcome.kind !== "unknown" || this.#transaction.attempts < ATTEMPTS_THAT_TELL;
  }

  #takePass(destination: string): boolean {
    if (!this.#pass || (this.#probes !== undefined && this.#probes !== destination)) return false;
    this.#pass = false;
    return true;
  }

  #deferred(place: number, reason: "open" | "full"): void {
    this.#inFlight.delete(place);
    this.#shutOut ||= reason === "open";
    this.#answers.set(place, { kind: "deferred", untilMs: this.#now() + (reason === "open" ? UNTIL_WOKEN : UNTIL_A_SLOT) });
    this.#signal();
  }

  #answered(place: number, outcome: Outcome, probing = false): void {
    const { log, telemetry } = this.#context;
    this.#inFlight.delete(place);
    const branch = this.#branches[place];
    const { type, status } = this.#transaction;
    telemetry.called(type, branch?.branchId ?? "00", branch?.op ?? type, outcome.kind !== "success");
    // R10: an answer that comes after its saga turned, or after this drive lost it, changes nothing.
    if (this.#over || (type === "saga" && branch?.op === "action" && status !== "submitted")) {
      log.info({ gid: this.gid, branch: branch?.branchId, op: branch?.op, outcome: outcome.kind }, "late answer");
      this.#signal();
      return;
    }
    this.#shutOut ||= probing;
    this.#answers.set(place, probing ? { kind: "deferred", untilMs: this.#now() + UNTIL_WOKEN } : outcome);
    if (outcome.kind === "success") this.#succeeded(place, branch);
    else this.#troubled(place, branch, outcome);
    this.#signal();
  }

  #succeeded(place: number, branch: Branch | undefined): void {
    if (branch === undefined) {
      this.#progressed ||= this.#transaction.type === "msg";
      return;
    }
    this.#progressed = true;
    this.#troubles.delete(place);
    this.#settle(place, branch, "succeed");
  }

  #troubled(place: number, branch: Branch | undefined, outcome: Trouble): void {
    if (this.#troubles.get(place)?.kind === "ongoing") this.#troubles.delete(place);
    if (!this.#troubles.has(place)) this.#troubles.set(place, outcome);
    if (outcome.kind === "failure") {
      if (branch !== undefined && this.#transaction.type === "saga" && branch.op === "action") {
        // An answer, not an error: the schedule starts anew (protocol.md 4.9).
        this.#progressed = true;
        return this.#settle(place, branch, "failed");
      }
      this.#refused ||= branch !== undefined;
      return;
    }
    this.#retryAfterMs = Math.max(this.#retryAfterMs, outcome.retryAfterMs ?? 0);
  }

  #settle(place: number, branch: Branch, status: Exclude<BranchStatus, "prepared">): void {
    const at = this.#now();
    this.#branches[place] = { ...branch, status };
    this.#pending.push({ branchId: branch.branchId, op: branch.op, status, at });
    if (!this.#mayBeLate(branch)) this.#recordFirst = true;
  }

  /** R6: where nothing that follows rests on it, a success travels with the next write. */
  #mayBeLate(branch: Branch): boolean {
    const { type, options } = this.#transaction;
    if (type !== "saga" || branch.op !== "action") return true;
    const sequential = !this.#plan.concurrent;
    const limited =
      (options.timeoutToFail || this.#settings.timeoutToFail) > 0 || (options.retryLimit || this.#settings.retryLimit) > 0;
    return sequential && !limited;
  }

  async #record(): Promise<Ended | null> {
    const results = this.#takePending();
    const written = await this.#writeResults(results);
    return written.kind === "done" ? null : this.#adopt(written.current, results);
  }

  #writeResults(results: readonly BranchResult[]): Promise<FencedResult> {
    const { status } = this.#transaction;
    return this.#context.store.recordBranches(this.gid, { owner: this.owner, status }, results, this.#now());
  }

  /** One write of this drive at a time: what a failed flush gives back is in the next one, never overtaken by it. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#writing.then(write);
    this.#writing = written.then(
      () => undefined,
      () => undefined,
    );
    return written;
  }

  async #turn(step: Extract<Step, { kind: "move" }>): Promise<Ended | null> {
    this.#turning = true;
    try {
      return await this.#inTurn(() => this.#move(step));
    } finally {
      this.#turning = false;
    }
  }

  async #move(step: Extract<Step, { kind: "move" }>): Promise<Ended | null> {
    const at = this.#now();
    const from = this.#transaction;
    const results = this.#takePending();
    const reason = step.reason === undefined ? {} : { rollbackReason: truncate(step.reason) };
    const moved = await this.#context.store.move(this.gid, {
      owner: this.owner,
      status: from.status,
      to: step.to,
      at,
      results,
      ...reason,
    });
    if (moved.kind === "refused") return this.#adopt(moved.current, results);
    this.#context.log.debug({ gid: this.gid, from: from.status, to: step.to }, "move");
    this.#transaction = {
      ...from,
      status: step.to,
      updateTime: at,
      rollbackReason: from.rollbackReason || (reason.rollbackReason ?? ""),
    };
    if (moved.branches !== null) this.#branches = [...moved.branches];
    // What an action answered while this write was under way came after the turn (R10); what it met before is no trouble of the way back.
    if (step.to === "aborting") this.#takePending();
    this.#answers.clear();
    this.#called.clear();
    this.#troubles.clear();
    this.#retryAfterMs = 0;
    return isFinal(step.to) ? { kind: "final", transaction: this.#transaction } : null;
  }

  async #rest(step: Rest): Promise<Ended | null> {
    const { random } = this.#context;
    const now = this.#now();
    const times = schedule(
      {
        transaction: this.#transaction,
        settings: this.#settings,
        now,
        progressed: this.#progressed,
        refused: this.#refused,
        retryAfterMs: this.#retryAfterMs,
        random: random(),
      },
      step,
    );
    const due = this.#noLaterThanTimeout(times.nextCronTime, now);
    const waitingOn = step.pace === "backOff" || step.pace === "defer" ? this.#waitingOn() : "";
    const why = step.pace === "defer" && this.#shutOut ? "deferred" : "pace";
    const ended = await this.#writeRest({ ...times, nextCronTime: due, waitingOn }, why);
    if (ended?.kind === "rested" && step.pace === "backOff") this.#alert(times.attempts);
    return ended;
  }

  /** On stop: at rest, due when no call of ours can still be out, nothing else changed (R18). */
  #handBack(): Promise<Ended | null> {
    const { nextCronInterval, attempts, refusals } = this.#transaction;
    const nextCronTime = this.#inFlight.size > 0 ? Math.max(this.#now(), this.#lastDeadline) : this.#now();
    return this.#writeRest({ nextCronTime, nextCronInterval, attempts, refusals, waitingOn: "" }, "stopped");
  }

  async #writeRest(
    rest: { nextCronTime: Millis; nextCronInterval: number; attempts: number; refusals: number; waitingOn: string },
    why: Extract<Ended, { kind: "rested" }>["why"],
  ): Promise<Ended | null> {
    const results = this.#takePending();
    const { status, wake } = this.#transaction;
    const written = await this.#context.store.rest(this.gid, {
      owner: this.owner,
      status,
      wake,
      at: this.#now(),
      results,
      ...rest,
    });
    if (written.kind === "refused") return this.#adopt(written.current, results);
    this.#transaction = { ...this.#transaction, ...rest, owner: "" };
    return {
      kind: "rested",
      transaction: this.#transaction,
      due: rest.nextCronTime,
      answer: this.#answerForCaller(),
      why,
    };
  }

  /** A write was refused. While the lease is still ours somebody only changed or nudged it (R4, R5): drive on from what is stored. */
  #adopt(current: Loaded | null, unwritten: readonly BranchResult[]): Ended | null {
    if (current === null) return { kind: "lost" };
    if (isFinal(current.transaction.status)) return { kind: "final", transaction: current.transaction };
    if (current.transaction.owner !== this.owner) return { kind: "lost" };
    this.#transaction = current.transaction;
    this.#plan = readPlanLeniently(current.transaction.type, current.transaction.customData);
    this.#pending = [...unwritten, ...this.#pending];
    this.#branches = withResults(current.branches, this.#pending);
    this.#answers.clear();
    this.#called.clear();
    this.#troubles.clear();
    this.#retryAfterMs = 0;
    this.#pass = true;
    return null;
  }

  #takePending(): BranchResult[] {
    const results = this.#pending;
    this.#pending = [];
    this.#recordFirst = false;
    return results;
  }

  /** Counted from the submit where there was one (protocol.md 1.6). Null: never. */
  #timeoutAt(): Millis | null {
    const { status, options, createTime, submitTime } = this.#transaction;
    const timeout = options.timeoutToFail || this.#settings.timeoutToFail;
    if (timeout === 0) return null;
    return (status === "prepared" ? createTime : (submitTime ?? createTime)) + timeout * 1000;
  }

  /** Every waiting state has a clock: a saga's timeout is noticed when it passes, not at the next retry. */
  #noLaterThanTimeout(due: Millis, now: Millis): Millis {
    const { type, status } = this.#transaction;
    const timeoutAt = this.#timeoutAt();
    if (type !== "saga" || status !== "submitted" || timeoutAt === null || timeoutAt <= now) return due;
    return Math.min(due, timeoutAt);
  }

  #waitingOn(): string {
    for (const [place, answer] of this.#answers) {
      if (answer.kind !== "unknown" && answer.kind !== "deferred") continue;
      const url = place === CALLBACK ? this.#transaction.queryPrepared : (this.#branches[place]?.url ?? "");
      if (url !== "") return this.#context.participants.destinationOf({ url, protocol: this.#transaction.protocol });
    }
    return "";
  }

  /** The first one (protocol.md 4.5), ongoing only if nothing worse. */
  #answerForCaller(): Outcome | null {
    const troubles = [...this.#troubles.values()];
    return troubles.find(({ kind }) => kind !== "ongoing") ?? troubles[0] ?? null;
  }

  /** One for each branch that failed in this drive (protocol.md 4.9); a probe is no attempt (R13). */
  #alert(attempts: number): void {
    if (attempts < this.#context.settings.alertRetryLimit) return;
    for (const [place, trouble] of this.#troubles) {
      const branch = this.#branches[place];
      const probed = this.#answers.get(place)?.kind === "deferred";
      if (branch === undefined || probed || trouble.kind === "ongoing") continue;
      // As on the wire, where whoever watches for the word finds it.
      const error = trouble.kind === "unknown" ? trouble.message : `${trouble.reason} ${RESULT.failure}`.trimStart();
      this.#context.alert({ gid: this.gid, status: this.#transaction.status, branch: branch.url, error, retryCount: attempts });
    }
  }

  #signal(): void {
    this.#signalled = true;
    this.#wake?.();
  }

  async #signalOr(until: Millis | undefined): Promise<void> {
    if (!this.#signalled) {
      await new Promise<void>((resolve) => {
        const cancel = until === undefined ? undefined : this.#context.clock.after(until - this.#now(), resolve);
        this.#wake = () => {
          cancel?.();
          resolve();
        };
      });
      this.#wake = null;
    }
    this.#signalled = false;
  }

  #now(): Millis {
    return this.#context.clock.now();
  }
}

/** How long a caller waits for this transaction at most, from the drive's start (R11). */
export function patienceMs(transaction: Transaction, settings: TypeSettings): Millis {
  return Math.max(settings.requestTimeout * 1000, requestTimeoutMs(transaction, settings)) + 2_000;
}

function withResults(branches: readonly Branch[], results: readonly BranchResult[]): Branch[] {
  const statuses = new Map(results.map(({ branchId, op, status }) => [`${op}/${branchId}`, status]));
  return branches.map((branch) => {
    const status = branch.status === "prepared" ? statuses.get(`${branch.op}/${branch.branchId}`) : undefined;
    return status === undefined ? branch : { ...branch, status };
  });
}

/** rollback_reason is a column of 1024 characters (protocol.md 9, Q6); C# cuts at 1023 itself. */
export function truncate(reason: string): string {
  // A character has one or two units, so one of megabytes isn't taken apart.
  return reason.length <= 1024 ? reason : [...reason.slice(0, 2_048)].slice(0, 1_024).join("");
}
