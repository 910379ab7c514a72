/**
 * What a caller may ask: prepare, submit, abort, registerBranch, forceStop and the questions. Each answers only after its change is
 * durable (promise 1); the drive that follows starts in the same tick.
 */
import { type ListFilter, type Page, StoreUnavailable, type TransactionStore } from "../stores/store.js";
import type { Clock } from "./clock.js";
import type { BranchInput, Coordinator, TopicRegistry, TransactionInput } from "./coordinator.js";
import { createLoaded, newBranch } from "./creation.js";
import { truncate } from "./drive.js";
import type { Engine } from "./engine.js";
import { newGid } from "./gid.js";
import { Refusal } from "./refusal.js";
import type { EngineSettings } from "./settings.js";
import { assertNever } from "./step.js";
import type { Branch, GlobalStatus, Loaded, Owner, Transaction, TransactionType } from "./transaction.js";
import { checkBranch, checkSeconds, checkStoredGid, checkText, checkTransaction } from "./validate.js";
import { answerWaiting } from "./waiting.js";

/** Whom the commands wake when something became due. */
export interface Scheduler {
  look(): void;
  /** Its first call may go through an open breaker (R13). */
  nudged(gid: string): void;
}

export interface CommandParts {
  readonly store: TransactionStore;
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly topics: Pick<TopicRegistry, "subscribers">;
  readonly clock: Clock;
  readonly settings: EngineSettings;
}

const UNFINISHED: readonly GlobalStatus[] = ["prepared", "submitted", "aborting"];

export class Commands implements Coordinator {
  constructor(private readonly parts: CommandParts) {}

  newGid(): string {
    return newGid();
  }

  async prepare(input: TransactionInput): Promise<void> {
    this.#refuseWhileStopping();
    const loaded = await this.#create(input, checkTransaction(input), "prepared", "");
    const created = await this.parts.store.create(loaded);
    if (created.kind === "created") return;
    const { status } = created.current.transaction;
    if (status !== "prepared") throw new Refusal("STATUS_CONFLICT", `current status '${status}', cannot prepare. FAILURE`);
  }

  async submit(input: TransactionInput): Promise<void> {
    this.#refuseWhileStopping();
    const type = checkTransaction(input);
    if (type === "workflow") return this.#endWorkflow(input);
    const transaction = await this.#reserving((owner) => this.#submit(input, type, owner));
    if (input.options.waitResult) await this.#wait(transaction, "submit");
  }

  async #submit(input: TransactionInput, type: TransactionType, owner: Owner): Promise<Transaction> {
    const { engine, scheduler, store } = this.parts;
    const loaded = await this.#create(input, type, "submitted", owner);
    const { gid } = loaded.transaction;
    const submitted = await this.#leasing(gid, owner, store.submit(loaded));
    switch (submitted.kind) {
      case "created":
        this.#drive(loaded, owner, true);
        return loaded.transaction;
      case "moved":
        if (submitted.leased) this.#drive(submitted.loaded, owner, true);
        else engine.hasten(gid);
        return submitted.loaded.transaction;
      case "exists": {
        const { status } = submitted.current.transaction;
        if (status !== "submitted") throw new Refusal("STATUS_CONFLICT", `current status '${status}', cannot sumbmit. FAILURE`);
        // Once more, over the stored branches (Q1).
        await store.nudge(gid, this.parts.clock.now());
        engine.hasten(gid);
        scheduler.nudged(gid);
        return loaded.transaction;
      }
      default:
        return assertNever(submitted);
    }
  }

  async abort(input: TransactionInput): Promise<void> {
    this.#refuseWhileStopping();
    checkStoredGid(input.gid);
    const { store, clock } = this.parts;
    const { gid } = input;
    const current = await this.#mustFind(gid);
    const { type, status } = current.transaction;
    const at = clock.now();
    if (type === "msg" && status === "prepared") {
      const stopped = await store.change(gid, { from: ["prepared"], to: "failed", at, owner: "" });
      if (stopped.kind === "refused") throw cannotAbort(stopped.current?.transaction ?? current.transaction);
      return;
    }
    if ((type !== "tcc" && type !== "xa") || (status !== "prepared" && status !== "aborting"))
      throw cannotAbort(current.transaction);
    const reason = input.rollbackReason === "" ? {} : { rollbackReason: truncate(input.rollbackReason) };
    const aborted = await this.#reserving(async (owner) => {
      const change = store.change(gid, { from: ["prepared", "aborting"], to: "aborting", at, owner, ...reason });
      const changed = await this.#leasing(gid, owner, change);
      if (changed.kind === "refused") throw cannotAbort(changed.current?.transaction ?? current.transaction);
      if (changed.leased) this.#drive(changed.loaded, owner, false);
      else {
        this.parts.engine.hasten(gid);
        this.parts.scheduler.look();
      }
      return changed.loaded.transaction;
    });
    if (aborted.options.waitResult) await this.#wait(aborted, "abort");
  }

  async forceStop(gid: string, rollbackReason: string): Promise<void> {
    checkStoredGid(gid);
    const reason = rollbackReason === "" ? {} : { rollbackReason: truncate(rollbackReason) };
    const changed = await this.parts.store.change(gid, {
      from: UNFINISHED,
      to: "failed",
      at: this.parts.clock.now(),
      owner: "",
      ...reason,
    });
    if (changed.kind === "changed") return this.parts.engine.drop(gid);
    if (changed.current === null) throw unknownGid(gid);
    throw new Refusal(
      "STATUS_CONFLICT",
      `global transaction force stop error. status: ${changed.current.transaction.status}. error: FAILURE`,
    );
  }

  async registerBranch(input: BranchInput): Promise<void> {
    this.#refuseWhileStopping();
    checkBranch(input);
    const registered = await this.parts.store.registerBranches(input.gid, this.#branchRows(input));
    switch (registered) {
      case "registered":
        return;
      case "duplicate":
        throw new Refusal("DUPLICATE_BRANCH", "storage: UniqueKeyConflict");
      case "not-prepared":
        throw new Refusal("NOT_PREPARED", `no trans with gid: ${input.gid} status: prepared found FAILURE`);
      default:
        assertNever(registered);
    }
  }

  async prepareWorkflow(input: TransactionInput): Promise<Loaded> {
    this.#refuseWhileStopping();
    const type = checkTransaction({ ...input, type: input.type === "" ? "workflow" : input.type });
    if (type !== "workflow") throw new Refusal("INVALID_INPUT", `prepareWorkflow is for workflows, found trans type '${type}'`);
    const loaded = await this.#create(input, type, "prepared", "");
    const created = await this.parts.store.create(loaded);
    return created.kind === "created" ? loaded : created.current;
  }

  async query(gid: string): Promise<Loaded | null> {
    if (gid === "") throw new Refusal("INVALID_INPUT", "no gid specified");
    return this.parts.store.find(gid);
  }

  list(filter: ListFilter): Promise<Page> {
    return this.parts.store.list(filter);
  }

  async resetCronTime(ask: {
    readonly timeoutSeconds: number | null;
    readonly limit: number;
  }): Promise<{ count: number; remaining: boolean }> {
    const { clock, settings, store, scheduler } = this.parts;
    if (ask.timeoutSeconds !== null) checkSeconds("timeout", ask.timeoutSeconds);
    const seconds = ask.timeoutSeconds ?? 3 * settings.timeoutToFail;
    const at = clock.now();
    const reset = await store.resetDue({ after: at + seconds * 1000, at, limit: ask.limit });
    scheduler.look();
    return reset;
  }

  async resetNextCronTime(gid: string): Promise<void> {
    checkStoredGid(gid);
    if (!(await this.parts.store.nudge(gid, this.parts.clock.now()))) throw unknownGid(gid);
    this.parts.engine.hasten(gid);
    this.parts.scheduler.nudged(gid);
  }

  #create(input: TransactionInput, type: TransactionType, status: GlobalStatus, owner: Owner): Loaded | Promise<Loaded> {
    const { settings, clock, topics } = this.parts;
    const create = (from: TransactionInput): Loaded | Promise<Loaded> =>
      createLoaded(from, { type, status, owner, settings: settings.types[type], now: clock.now() }, topics);
    const loaded = create(input);
    if (!(loaded instanceof Promise)) return loaded;
    return loaded.catch(async (cause: unknown) => {
      await this.#mustBeStored(input.gid, cause);
      return create({ ...input, steps: [] });
    });
  }

  /** What is stored keeps the branches it was prepared with (protocol.md 1.6): a topic that was deleted since is no matter. */
  async #mustBeStored(gid: string, cause: unknown): Promise<void> {
    const unknownTopic = cause instanceof Refusal && cause.code === "TOPIC_NOT_FOUND";
    if (!unknownTopic || (await this.parts.store.find(gid)) === null) throw cause;
  }

  #branchRows(input: BranchInput): Branch[] {
    const now = this.parts.clock.now();
    const type = input.type;
    const row = (op: string, url: string): Branch =>
      newBranch(input, now, { branchId: input.branchId, op, url, payload: input.payload, status: "prepared" });
    // Cancel before confirm, rollback before commit: tests and query users see that order (Q47).
    if (type === "tcc") return [row("cancel", input.cancel), row("confirm", input.confirm)];
    if (type === "xa") return [row("rollback", input.url), row("commit", input.url)];
    if (type === "workflow") {
      const { status } = input;
      if (status !== "prepared" && status !== "succeed" && status !== "failed") {
        throw new Refusal(
          "INVALID_INPUT",
          `a workflow branch is prepared, succeed or failed, found status '${status.slice(0, 45)}'`,
        );
      }
      return [newBranch(input, now, { branchId: input.branchId, op: input.op, url: "", payload: input.payload, status })];
    }
    throw new Refusal("BRANCH_TYPE_UNKNOWN", `unknow trans type: ${type.slice(0, 45)}`);
  }

  /** The application ends its workflow; the same end again is success, another one a conflict (Q32). */
  async #endWorkflow(input: TransactionInput): Promise<void> {
    const { gid, extra } = input;
    const to = extra["status"] ?? "";
    if (to !== "succeed" && to !== "failed")
      throw new Refusal("INVALID_INPUT", `a workflow ends as succeed or failed, found status '${to.slice(0, 45)}'`);
    const result = extra["result"] ?? "";
    checkText("result", result);
    const rollbackReason = truncate(extra["rollback_reason"] ?? "");
    const changed = await this.parts.store.change(gid, {
      from: ["prepared"],
      to,
      at: this.parts.clock.now(),
      owner: "",
      result,
      rollbackReason,
    });
    if (changed.kind === "changed") return;
    if (changed.current === null) throw new Refusal("NOT_FOUND", "storage: NotFound");
    const { status } = changed.current.transaction;
    if (status !== to) throw new Refusal("STATUS_CONFLICT", `current status '${status}', cannot sumbmit. FAILURE`);
  }

  #drive(loaded: Loaded, owner: Owner, fresh: boolean): void {
    if (owner !== "") this.parts.engine.begin({ loaded, owner, fresh, pass: loaded.transaction.options.waitResult });
    else this.parts.scheduler.look();
  }

  /** Keeps a place among the driven until the drive began; with no place left the owner is "" (R17). */
  async #reserving<T>(work: (owner: Owner) => Promise<T>): Promise<T> {
    const { engine } = this.parts;
    const owner = engine.reserve();
    try {
      return await work(owner);
    } finally {
      engine.release(owner);
    }
  }

  /** When the outcome is unknown the lease may be ours all the same (R7). */
  async #leasing<T>(gid: string, owner: Owner, write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (cause) {
      if (cause instanceof StoreUnavailable && owner !== "") {
        const at = this.parts.clock.now();
        this.parts.engine.recover(gid, owner, { at, notBefore: at });
      }
      throw cause;
    }
  }

  async #wait(transaction: Transaction, asked: "submit" | "abort"): Promise<void> {
    answerWaiting(asked, transaction, await this.parts.engine.wait(transaction));
  }

  async #mustFind(gid: string): Promise<Loaded> {
    const found = await this.parts.store.find(gid);
    if (found === null) throw unknownGid(gid);
    return found;
  }

  #refuseWhileStopping(): void {
    if (this.parts.engine.stopping) throw new Refusal("UNAVAILABLE", "the server is stopping: try again");
  }
}

function unknownGid(gid: string): Refusal {
  return new Refusal("GID_UNKNOWN", `no TransGlobal with gid: ${gid} found`);
}

function cannotAbort({ type, status }: Transaction): Refusal {
  return new Refusal("STATUS_CONFLICT", `trans type: '${type}' current status '${status}', cannot abort. FAILURE`);
}
