/** Two-phase messages: steps that are carried out once the local transaction has committed (protocol.md 6.4). */
import { BranchCall, runAsBranch } from "@dtm/barrier/internal";
import { type BranchAddress, DtmError, Failure, MSG_BRANCH, TOPIC_PREFIX } from "@dtm/protocol";
import {
  type Address,
  type AddressLike,
  describe,
  type PayloadArgument,
  requireFunction,
  requireKnown,
  urlOf,
  type WithPayload,
} from "./address.js";
import { callBranch } from "./answer.js";
import { Attempts } from "./attempts.js";
import type { Coordinator } from "./coordinator.js";
import { randomGid } from "./gid.js";
import { quietly } from "./global.js";
import { type CallOptions, type MsgOptions, over, seconds, toWireOptions } from "./options.js";
import type { SubmitOptions, Submitted } from "./saga.js";
import type { EncodedPayload, StepRequest, TransactionRequest } from "./transport.js";
import type { Begun } from "./unsent.js";

/** One step of a message. */
export type MsgStep<Payload> = {
  /** Called until it answers success. */
  readonly action: Address<Payload>;
} & WithPayload<Payload>;

const STEP = { action: true, payload: true } satisfies Record<keyof MsgStep<object>, true>;

/** The call that a message's local transaction runs in. */
class LocalTransaction extends BranchCall {
  #wasGuarded = false;

  /** A barrier has run in it: `queryPrepared` knows more of the local transaction than what was thrown. */
  get wasGuarded(): boolean {
    return this.#wasGuarded;
  }

  override guard(place: string): boolean {
    this.#wasGuarded = true;
    return super.guard(place);
  }
}

/** A message: steps that are carried out once the local transaction has committed; made by {@link Client.msg}. */
export class Msg {
  /** The id it is prepared and submitted under; both may be repeated with it. */
  readonly gid: string;
  readonly #coordinator: Coordinator;
  readonly #options: MsgOptions;
  readonly #steps: StepRequest[] = [];
  readonly #payloads: EncodedPayload[] = [];
  readonly #attempts = new Attempts();
  #delaySeconds = 0;
  #queryPrepared: string | null = null;
  /** The local transaction of `doAndSubmit` has ended well. */
  #worked = false;

  /** @internal */
  constructor(coordinator: Coordinator, options: MsgOptions) {
    const { concurrent } = toWireOptions(options, "msg");
    if (concurrent && !coordinator.transport.concurrentMessages) {
      throw new DtmError("OPTION_INVALID", "concurrent: expected over HTTP only, found over gRPC, which has no field for it");
    }
    this.#coordinator = coordinator;
    this.#options = options;
    this.gid = options.gid ?? randomGid();
  }

  /**
   * Adds a step.
   *
   * @throws DtmError STEP_INVALID, PAYLOAD_INVALID.
   */
  step<Payload>(step: MsgStep<Payload>): this {
    const { transport } = this.#coordinator;
    const what = `step ${this.#steps.length}: action`;
    requireKnown(step, STEP, { code: "STEP_INVALID", what: `step ${this.#steps.length}` });
    const action = urlOf(step.action, what);
    if (!action.startsWith(TOPIC_PREFIX)) transport.checkAddress(action, what);
    this.#add(action, "payload" in step ? transport.encode(step.payload, [step.action]) : "");
    return this;
  }

  /**
   * Adds a step that goes to every subscriber of a topic, as they are when the message is prepared (or submitted, if it wasn't).
   *
   * @param topic - Its name, or an address made by `branch<T>("topic://name")`, which knows the payload's type and asks for one.
   * @throws DtmError STEP_INVALID, PAYLOAD_INVALID.
   */
  topic<Payload>(topic: Address<Payload>, ...[payload]: PayloadArgument<Payload>): this {
    const name = urlOf(topic, `step ${this.#steps.length}: topic`);
    const encoded =
      payload === undefined
        ? ""
        : this.#coordinator.transport.encode(payload, [typeof topic === "string" ? TOPIC_PREFIX + name : topic]);
    this.#add(name.startsWith(TOPIC_PREFIX) ? name : TOPIC_PREFIX + name, encoded);
    return this;
  }

  /** Carries the steps out so many seconds after the submit. Default: 0, at once. */
  delay(delaySeconds: number): this {
    this.#delaySeconds = seconds("delay", delaySeconds);
    return this;
  }

  /**
   * Stores the message without carrying it out. If no submit follows in time, the coordinator asks `queryPrepared` what became of the
   * local transaction.
   *
   * @param queryPrepared - A branch of yours that answers success if the local transaction has committed, and failure if it never will:
   * `barrier.queryPrepared` does that. It is called without payload, so an address with any payload type will do.
   * @throws DtmError as `submit`; OPTION_INVALID, before anything is sent, for a `waitResult` that this client can't ask about.
   */
  async prepare(queryPrepared: AddressLike, options: CallOptions = {}): Promise<void> {
    this.#check(options);
    await this.#prepare(queryPrepared, options);
  }

  /**
   * Hands the message over: from now on the steps are carried out until they succeed. Resolves when that is durable; with
   * `waitResult` when all have succeeded. After an outcome that is unclear (COORDINATOR_UNREACHABLE, COORDINATOR_ERROR, DEADLINE_EXCEEDED) it
   * may be called again: what became of the first one is found out.
   *
   * @throws DtmError TRANSACTION_FAILED when the message was aborted, or its query said that the local transaction failed;
   * TRANSACTION_RUNNING when a waited-for message hasn't ended yet; TRANSACTION_CONFLICT when the gid is used up, COORDINATOR_REFUSED,
   * COORDINATOR_ERROR, COORDINATOR_UNREACHABLE, DEADLINE_EXCEEDED, STEP_INVALID.
   */
  async submit(options: SubmitOptions = {}): Promise<Submitted> {
    await this.#submit(over<MsgOptions>(this.#options, options));
    return { gid: this.gid };
  }

  /** Takes a prepared message back. Resolves also when it was taken back before. */
  async abort(options: CallOptions = {}): Promise<void> {
    await this.#abort(over<MsgOptions>(this.#options, options));
  }

  /**
   * Prepares the message, runs your local transaction, and submits. Whatever happens in between, the steps are carried out if and only if
   * the local transaction commits, provided that it goes through `barrier.run` (which finds the message by itself).
   *
   * @param queryPrepared - As in `prepare`.
   * @param work - Your local transaction. After an error `queryPrepared` is asked, which tells whether it was committed, and if that doesn't answer,
   * the coordinator asks later. A `Failure` takes the message back without asking where no barrier has run in `work`: it says that the local
   * transaction was rolled back for good.
   * @returns What `work` returned.
   * @throws DtmError OPTION_INVALID and STEP_INVALID before anything is sent; the error of `work`, always; else as `prepare` and `submit`. If the submit fails after `work` succeeded, the coordinator
   * finds out by `queryPrepared` and carries the steps out.
   */
  async doAndSubmit<T>(queryPrepared: AddressLike, work: () => Promise<T> | T, options: SubmitOptions = {}): Promise<T> {
    this.#check(options);
    requireFunction(work, "OPTION_INVALID", "work");
    // After an error of the work this client asks it by itself.
    this.#coordinator.transport.checkCallable(urlOf(queryPrepared, "queryPrepared"), "queryPrepared");
    await this.#prepare(queryPrepared, { timeoutMs: options.timeoutMs, signal: options.signal });
    const { server } = this.#coordinator.transport;
    const call = new LocalTransaction({
      gid: this.gid,
      transType: "msg",
      branchId: MSG_BRANCH.branchId,
      op: MSG_BRANCH.op,
      coordinator: server,
    });
    let value: T;
    try {
      value = await runAsBranch(call, work);
    } catch (error) {
      await this.#decide(error, call);
      throw error;
    }
    this.#worked = true;
    await this.submit(options);
    return value;
  }

  /** What the submit can't be told is refused before the prepare: in between, work is done. */
  #check(options: SubmitOptions): void {
    const { waitResult } = toWireOptions(over<MsgOptions>(this.#options, options), "msg");
    if (waitResult) this.#coordinator.transport.requireQuery();
  }

  async #prepare(queryPrepared: AddressLike, options: CallOptions): Promise<void> {
    const all = over<MsgOptions>(this.#options, options);
    const url = urlOf(queryPrepared, "queryPrepared");
    if (url.startsWith(TOPIC_PREFIX)) {
      throw new DtmError("STEP_INVALID", `queryPrepared: expected the address of a service, found the topic ${describe(url)}`);
    }
    this.#coordinator.transport.checkAddress(url, "queryPrepared");
    await this.#attempts.make(() => this.#coordinator.prepare(this.#request(all, url), all, this.#begun("prepare")));
    this.#queryPrepared = url;
  }

  /** After an error of the local transaction: only a definite word moves the message, in the direction it says. */
  async #decide(error: unknown, { wasGuarded }: LocalTransaction): Promise<void> {
    // The caller's clock and signal may be why it failed, so what follows has a clock of its own.
    const own: MsgOptions = { ...this.#options, timeoutMs: undefined, signal: undefined, waitResult: false };
    // A Failure that comes after a guarded transaction says nothing about that one, which may be committed.
    const decision = error instanceof Failure && !wasGuarded ? "abort" : await this.#ask();
    switch (decision) {
      case "abort":
        return quietly(this.#coordinator, () => this.#abort(own), `abort of ${this.gid}`);
      case "submit":
        return quietly(this.#coordinator, () => this.#submit(own), `submit of ${this.gid}`);
      case "leave":
        return;
      default:
        return decision satisfies never;
    }
  }

  async #ask(): Promise<"abort" | "submit" | "leave"> {
    const { transport } = this.#coordinator;
    const { branchHeaders: headers } = toWireOptions(this.#options, "msg");
    const invocation = { url: this.#queryPrepared ?? "", gid: this.gid, transType: "msg" as const, ...MSG_BRANCH, headers };
    try {
      await callBranch(transport, invocation, this.#coordinator.limits({}));
      return "submit";
    } catch (error) {
      if (error instanceof Failure) return "abort";
      const message = error instanceof Error ? error.message : String(error);
      this.#coordinator.warn(new DtmError("BRANCH_UNKNOWN", `${message}; the coordinator asks again later`, { cause: error }));
      return "leave";
    }
  }

  async #submit(options: MsgOptions): Promise<void> {
    const request = this.#request(options, this.#queryPrepared);
    const customData = this.#delaySeconds === 0 ? {} : { customData: JSON.stringify({ delay: this.#delaySeconds }) };
    const prepared = this.#queryPrepared !== null;
    const submission = { prepared, again: this.#attempts.mayHaveActed, begun: this.#begun("submit") };
    await this.#attempts.make(() => this.#coordinator.submit({ ...request, ...customData }, options, submission));
  }

  async #abort(options: MsgOptions): Promise<void> {
    await this.#coordinator.abort(this.#request(options, this.#queryPrepared), options, this.#begun("abort"));
  }

  /** What is open already when `what` can't even be sent. */
  #begun(what: "prepare" | "submit" | "abort"): Begun | undefined {
    if (this.#queryPrepared === null) return this.#attempts.begun(this.gid, what);
    const done = this.#worked
      ? "its local transaction is done, and the coordinator asks queryPrepared"
      : "the message is prepared, and the coordinator asks queryPrepared what became of its local transaction";
    return { gid: this.gid, what, done };
  }

  #add(action: string, payload: EncodedPayload): void {
    this.#steps.push({ action });
    this.#payloads.push(payload);
  }

  #request(options: MsgOptions, queryPrepared: string | null): TransactionRequest {
    if (this.#steps.length === 0)
      throw new DtmError("STEP_INVALID", `expected at least one step or topic, found ${describe(this.#steps.length)}`);
    return {
      gid: this.gid,
      transType: "msg",
      options: toWireOptions(options, "msg"),
      steps: this.#steps,
      payloads: this.#payloads,
      ...(queryPrepared === null ? {} : { queryPrepared }),
    };
  }
}

/** A topic whose messages have one shape, declared once for publishers and subscribers. */
export function topic<Payload>(name: string): BranchAddress<Payload> {
  return { url: TOPIC_PREFIX + name };
}
