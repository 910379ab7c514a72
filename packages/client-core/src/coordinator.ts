/**
 * The coordinator as the builders use it: what is repeated, and what an answer means for the transaction (protocol.md 1.5 to 1.9, 4.12).
 * `prepare`, `submit` and `abort` may be sent again with the same gid, so an unclear answer is repeated; what is still unclear then is
 * settled by asking what is stored. A registration may not, and its unclear answer is an error.
 */
import type { DtmError } from "@dtm/protocol";
import { Deadline } from "./deadline.js";
import { emitWarning, TransactionError } from "./errors.js";
import { type CallOptions, checkCall, LONGEST_TIMEOUT_MS } from "./options.js";
import type {
  BranchRegistration,
  CallLimits,
  Reply,
  Time,
  TopicChange,
  TransactionRequest,
  TransactionState,
  Transport,
  WorkflowState,
} from "./transport.js";
import { type Begun, closedBefore, givenUpBefore } from "./unsent.js";
import {
  type About,
  answerOf,
  assertNever,
  conflict,
  failed,
  isSilent,
  isTooLate,
  isUnclear,
  type NotDone,
  otherSteps,
  otherType,
  refused,
  running,
  type Stored,
  statusNamedIn,
  storedAccordingTo,
  type Unclear,
} from "./verdicts.js";

/** How often an unclear answer is followed by another try. */
const REPEATS = 3;
const FIRST_PAUSE_MS = 50;
/** With less than this no try could be answered, and it would only hide what the one before it has met. */
export const LEAST_TRY_MS = 10;
/** Of what is left of the caller's time, how much one try may use while others may follow. */
const SHARE_OF_A_TRY = 0.5;
/** A waiting caller's request may use this much; the rest is for asking how it ended. */
const SHARE_OF_WAITING = 0.8;

/** What the caller knows of the gid before it submits. */
export interface Submission {
  /** This client prepared it, so what is stored is the caller's own transaction; otherwise a gid that is used up belongs to somebody else. */
  readonly prepared: boolean;
  /** An earlier submit of the caller's ended without a clear outcome, so a gid that is used up may be its own. */
  readonly again: boolean;
  /** What is said when the submit can't even be sent. */
  readonly begun?: Begun | undefined;
}

interface Settled<T> {
  readonly reply: Reply<T>;
  /** An earlier try was unclear and may have been carried out, so an answer can be about our own success. */
  readonly repeated: boolean;
  /** An earlier try got no answer, so it may still arrive. */
  readonly unheard: boolean;
}

export interface CoordinatorSettings {
  readonly timeoutMs: number;
  /** Takes what can't be thrown, because another error is being thrown already. */
  readonly onWarning: (error: Error) => void;
  readonly time: Time;
}

export class Coordinator {
  readonly transport: Transport;
  readonly settings: CoordinatorSettings;
  #closed = false;

  constructor(transport: Transport, settings: CoordinatorSettings) {
    this.transport = transport;
    this.settings = settings;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.transport.close();
  }

  /** Tells `onWarning`, which may also be asynchronous: when it fails, that changes nothing, and what it was to be told isn't lost. */
  warn(warning: Error): void {
    void (async () => this.settings.onWarning(warning))().catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      process.emitWarning(`onWarning of a dtm client failed: ${why}`);
      emitWarning(warning);
    });
  }

  /**
   * @param begun - What was done before under the same gid, if anything was.
   * @throws DtmError CLIENT_CLOSED, OPTION_INVALID, DEADLINE_EXCEEDED; TransactionErrors where something was begun.
   */
  limits(options: CallOptions, begun?: Begun): CallLimits {
    if (this.#closed) throw closedBefore(begun);
    checkCall(options);
    if (options.signal?.aborted === true) throw givenUpBefore(begun, options.signal.reason);
    return { timeoutMs: options.timeoutMs ?? this.settings.timeoutMs, signal: options.signal, time: this.settings.time };
  }

  async newGid(options: CallOptions): Promise<string> {
    const deadline = new Deadline(this.limits(options));
    const { reply } = await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.newGid(limits));
    return this.#read("newGid", reply, deadline);
  }

  async prepare(request: TransactionRequest, options: CallOptions, begun?: Begun): Promise<void> {
    const deadline = new Deadline(this.limits(options, begun));
    const settled = await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.send("prepare", request, limits));
    const reply = wordOnAll(settled);
    if (reply.kind === "done") return;
    const about = { what: "prepare", gid: request.gid };
    if (!isUnclear(reply)) throw this.#definite(about, reply);
    const state = await this.#stored(request, reply, deadline, about);
    if (state === null) throw this.#nothingStored(about, reply, deadline, settled.unheard);
    if (state.status !== "prepared") throw conflict(about, state, reply);
  }

  async submit(request: TransactionRequest, options: CallOptions, { prepared, again, begun }: Submission): Promise<void> {
    const waiting = request.options.waitResult;
    const limits = waiting ? this.#waitingLimits(request, options, begun) : this.limits(options, begun);
    if (waiting) this.transport.requireQuery();
    const deadline = new Deadline(limits);
    const share = waiting ? SHARE_OF_WAITING : SHARE_OF_A_TRY;
    // An error answered to a waiting caller is mostly a branch's, and the coordinator goes on: asking tells more than submitting again.
    const worthRepeating = waiting ? isSilent : isUnclear;
    const settled = await this.#repeat(deadline, share, (call) => this.transport.send("submit", request, call), worthRepeating);
    const reply = wordOnAll(settled);
    if (reply.kind === "done") return;
    const about = { what: "submit", gid: request.gid };
    if (reply.kind === "refused") throw this.#definite(about, reply);
    const state = await this.#stored(request, reply, deadline, about);
    if (state === null) throw this.#nothingStored(about, reply, deadline, settled.unheard);
    const usedUp = isTooLate(reply);
    const foreign = otherType(request, state) || (usedUp && !prepared ? otherSteps(request, state) : "");
    if (foreign !== "") throw conflict(about, state, reply, foreign);
    const secondTry = again || settled.repeated;
    if (usedUp && !prepared && !secondTry) throw conflict(about, state, reply);
    // Who comes again, himself or by a repeat, wants to know what became of it, which is more than that it was accepted once.
    if (usedUp && secondTry && isUndone(state)) throw failed(state, reply);
    return this.#judgeSubmit(request, state, reply, deadline);
  }

  async abort(request: TransactionRequest, options: CallOptions, begun?: Begun): Promise<void> {
    const deadline = new Deadline(this.limits(options, begun));
    const settled = await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.send("abort", request, limits));
    const reply = wordOnAll(settled);
    if (reply.kind === "done") return;
    const about = { what: "abort", gid: request.gid };
    if (reply.kind === "refused") throw this.#definite(about, reply);
    const state = await this.#stored(request, reply, deadline, about);
    if (state === null) throw this.#nothingStored(about, reply, deadline, false);
    switch (state.status) {
      case "aborting":
      case "failed":
        return;
      case "submitted":
      case "succeed":
        throw conflict(about, state, reply);
      case "prepared":
        throw isUnclear(reply) ? this.#unclear(about, reply, deadline) : this.#definite(about, reply);
      default:
        return assertNever(state.status);
    }
  }

  /** Sent once: a repeat that meets its own success is refused as a duplicate. */
  async registerBranch(registration: BranchRegistration, options: CallOptions, coordinator?: string): Promise<void> {
    const about = { what: `registerBranch ${registration.branchId}`, gid: registration.gid };
    const deadline = new Deadline(this.limits(options, { ...about, done: goesOn(registration) }));
    const reply = await this.transport.registerBranch(registration, { ...deadline.share(1), patient: true }, coordinator);
    if (reply.kind === "done") return;
    throw isUnclear(reply) ? this.#unclear(about, reply, deadline) : this.#definite(about, reply);
  }

  /** Answers the stored workflow when there is one, so it may be repeated. */
  async prepareWorkflow(request: TransactionRequest, options: CallOptions): Promise<WorkflowState> {
    const deadline = new Deadline(this.limits(options));
    const settled = await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.prepareWorkflow(request, limits));
    return this.#read("prepareWorkflow", wordOnAll(settled), deadline, request.gid);
  }

  /** Tells how a workflow ended. A repeat that meets its own success is one (dtm answers it with an error, protocol.md 9, Q32). */
  async finishWorkflow(request: TransactionRequest, status: "succeed" | "failed"): Promise<void> {
    const about = { what: "submit", gid: request.gid };
    const done = "the workflow has run, and the coordinator has it resumed";
    const deadline = new Deadline(this.limits({}, { ...about, done }));
    const settled = await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.send("submit", request, limits));
    const reply = wordOnAll(settled);
    if (reply.kind === "done") return;
    const state = await this.#stored(request, reply, deadline, about);
    if (state === null) throw this.#nothingStored(about, reply, deadline, settled.unheard);
    if (state.status === status) return;
    if (state.status !== "prepared") throw conflict(about, state, reply);
    throw isUnclear(reply) ? this.#unclear(about, reply, deadline) : this.#definite(about, reply);
  }

  /** @param begun - For a caller who asks about what it has begun itself. */
  async query(gid: string, options: CallOptions, begun?: Begun): Promise<TransactionState | null> {
    const limits = this.limits(options, begun);
    this.transport.requireQuery();
    const deadline = new Deadline(limits);
    const { reply } = await this.#repeat(deadline, SHARE_OF_A_TRY, (call) => this.transport.query(gid, call));
    return this.#read("query", reply, deadline, gid);
  }

  /** Sent once: the second of two subscriptions is refused as known. */
  async changeTopic(change: TopicChange, options: CallOptions): Promise<void> {
    const deadline = new Deadline(this.limits(options));
    const reply = await this.transport.changeTopic(change, { ...deadline.share(1), patient: true });
    this.#read(`topic ${change.topic}, ${change.kind}`, reply, deadline);
  }

  #judgeSubmit(request: TransactionRequest, state: Stored, reply: NotDone, deadline: Deadline): void {
    const waiting = request.options.waitResult;
    const about = { what: "submit", gid: request.gid };
    switch (state.status) {
      case "succeed":
        return;
      case "submitted":
        if (waiting) throw running(state, reply);
        return;
      case "prepared":
        throw isUnclear(reply) ? this.#unclear(about, reply, deadline) : this.#definite(about, reply);
      case "aborting":
      case "failed":
        // Who doesn't wait asked for acceptance, and a saga that is being rolled back was accepted.
        if (request.transType === "saga" && !waiting) return;
        throw failed(state, reply);
      default:
        return assertNever(state.status);
    }
  }

  /** The coordinator answers a waiting caller after its request timeout and two seconds at the latest (4.12). */
  #waitingLimits(request: TransactionRequest, options: CallOptions, begun: Begun | undefined): CallLimits {
    const limits = this.limits(options, begun);
    if (options.timeoutMs !== undefined) return limits;
    const enough = Math.max(limits.timeoutMs, ((request.options.requestTimeout + 2) * 1000) / SHARE_OF_WAITING + 1000);
    return { ...limits, timeoutMs: Math.min(enough, LONGEST_TIMEOUT_MS) };
  }

  async #repeat<T>(
    deadline: Deadline,
    share: number,
    send: (limits: CallLimits) => Promise<Reply<T>>,
    again: (reply: Reply<unknown>) => boolean = isUnclear,
  ): Promise<Settled<T>> {
    let unheard = false;
    for (let tries = 0; ; tries++) {
      const reply = await send({ ...deadline.share(share), patient: tries > 0 });
      const settled = { reply, repeated: tries > 0, unheard };
      if (!again(reply) || tries === REPEATS || deadline.over || this.#closed) return settled;
      await deadline.pause(FIRST_PAUSE_MS * 2 ** tries);
      if (deadline.leftMs < LEAST_TRY_MS || this.#closed) return settled;
      unheard ||= isSilent(reply);
    }
  }

  /** What is stored under the gid, when the answer alone doesn't tell. If that can't be found out, the answer's own words count, or it is the error. */
  async #stored(request: TransactionRequest, reply: NotDone, deadline: Deadline, about: About): Promise<Stored | null> {
    const { gid } = request;
    if (this.#closed) throw this.#closedMeanwhile(about);
    let found: Reply<TransactionState | null>;
    try {
      this.transport.requireQuery();
      found =
        deadline.leftMs < LEAST_TRY_MS
          ? { kind: "silent", message: "no time was left to ask", cause: null, timedOut: true }
          : await this.#ask(gid, deadline);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : "no way to ask";
      found = { kind: "silent", message, cause, timedOut: true };
    }
    if (found.kind === "done") return found.value;
    if (this.#closed) throw this.#closedMeanwhile(about);
    const told = storedAccordingTo(request, reply);
    if (told !== null) return told;
    const then = `and query told nothing: ${found.message}`;
    if (isUnclear(reply))
      throw this.#unclear(about, { ...afterQuery(reply, found), message: `${reply.message}, ${then}` }, deadline);
    throw new TransactionError("COORDINATOR_ERROR", `${about.what} of ${gid} was answered with ${answerOf(reply)}, ${then}`, {
      gid,
    });
  }

  async #ask(gid: string, deadline: Deadline): Promise<Reply<TransactionState | null>> {
    return (await this.#repeat(deadline, SHARE_OF_A_TRY, (limits) => this.transport.query(gid, limits))).reply;
  }

  #nothingStored(about: About, reply: NotDone, deadline: Deadline, unheard: boolean): DtmError {
    if (reply.kind === "silent") return this.#unclear(about, reply, deadline);
    if (unheard) {
      const message = `${reply.message}; nothing is stored, but an earlier try got no answer and may still arrive`;
      return this.#unclear(about, { kind: "error", message }, deadline);
    }
    if (about.what === "abort") {
      return new TransactionError("TRANSACTION_UNKNOWN", `abort: expected a transaction ${about.gid}, found none`, {
        gid: about.gid,
      });
    }
    return refused(about, reply.message);
  }

  #read<T>(what: string, reply: Reply<T>, deadline: Deadline, gid = ""): T {
    if (reply.kind === "done") return reply.value;
    throw isUnclear(reply) ? this.#unclear({ what, gid }, reply, deadline) : this.#definite({ what, gid }, reply);
  }

  #definite(about: About, reply: Exclude<NotDone, Unclear>): DtmError {
    if (reply.kind === "refused") {
      if (about.what === "abort" && reply.message.includes("no TransGlobal with gid")) {
        return new TransactionError("TRANSACTION_UNKNOWN", `abort: expected a transaction ${about.gid}, found none`, {
          gid: about.gid,
        });
      }
      return refused(about, reply.message);
    }
    return new TransactionError("TRANSACTION_CONFLICT", `${about.what} of ${about.gid} was refused: ${reply.message}`, {
      gid: about.gid,
      ...statusNamedIn(reply.message),
    });
  }

  #unclear(about: About, reply: Unclear, deadline: Deadline): DtmError {
    if (this.#closed) return this.#closedMeanwhile(about);
    const { gid } = about;
    const subject = gid === "" ? about.what : `${about.what} of ${gid}`;
    const time = deadline.leftMs < LEAST_TRY_MS ? ` within ${deadline.totalMs} ms` : "";
    const answer =
      reply.kind === "silent" ? `got no answer${time}: ${reply.message}` : `was answered with an error: ${reply.message}`;
    const cause = reply.kind === "silent" ? reply.cause : undefined;
    if (deadline.aborted)
      return new TransactionError("DEADLINE_EXCEEDED", `${subject} was given up by its caller`, { gid, cause: deadline.reason });
    return new TransactionError(codeOf(reply), `${subject} ${answer} (${this.transport.server})`, { gid, cause });
  }

  #closedMeanwhile({ what, gid }: About): DtmError {
    const subject = gid === "" ? what : `${what} of ${gid}`;
    const message = `${subject} was under way when the client was closed: what the coordinator did is unknown`;
    return new TransactionError("CLIENT_CLOSED", message, { gid });
  }
}

/** A busy coordinator isn't an unreachable one: nothing but the time was up. */
function codeOf(reply: Unclear): "COORDINATOR_UNREACHABLE" | "COORDINATOR_ERROR" | "DEADLINE_EXCEEDED" {
  if (reply.kind === "error") return "COORDINATOR_ERROR";
  return reply.timedOut === true ? "DEADLINE_EXCEEDED" : "COORDINATOR_UNREACHABLE";
}

/** A query that reached nobody says more of the coordinator than a request whose time was up. */
function afterQuery(reply: Unclear, found: NotDone): Unclear {
  const nobody = found.kind === "silent" && found.timedOut !== true;
  return reply.kind === "silent" && nobody ? { ...reply, timedOut: false } : reply;
}

function goesOn({ transType }: BranchRegistration): string {
  if (transType === "workflow") return "the workflow stays open, and is resumed later";
  return "what becomes of the transaction is up to whoever began it";
}

function isUndone({ status }: Stored): boolean {
  return status === "aborting" || status === "failed";
}

/** A refusal of one try is no word on an earlier one that may have acted, or still will: only what was unclear is tried again. */
function wordOnAll<T>({ reply, repeated }: Settled<T>): Reply<T> {
  if (reply.kind !== "refused" || !repeated) return reply;
  return { kind: "error", message: `${reply.message} (after a try whose outcome isn't known)` };
}
