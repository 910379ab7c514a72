/** Sagas: steps with their compensations, sent with one submit (protocol.md 6.4). */
import { DtmError } from "@dtm/protocol";
import { type Address, describe, requireKnown, urlOf, type WithPayload } from "./address.js";
import { Attempts } from "./attempts.js";
import type { Coordinator } from "./coordinator.js";
import { randomGid } from "./gid.js";
import { type CallOptions, over, type SagaOptions, toWireOptions } from "./options.js";
import { ordersOf } from "./orders.js";
import type { EncodedPayload, StepRequest } from "./transport.js";

const NOTHING_TO_UNDO = Symbol.for("dtm.no-compensation");

/** What {@link noCompensation} returns. */
export interface NoCompensation {
  readonly kind: typeof NOTHING_TO_UNDO;
}

const NO_COMPENSATION: NoCompensation = { kind: NOTHING_TO_UNDO };

/** Says that a step needs no compensation: it changes nothing, or nothing that has to be undone. */
export function noCompensation(): NoCompensation {
  return NO_COMPENSATION;
}

/** One step of a saga. `action` and `compensate` get the same payload. */
export type SagaStep<Payload> = {
  readonly action: Address<Payload>;
  /** What undoes the action; {@link noCompensation} when there is nothing to undo. */
  readonly compensate: Address<Payload> | NoCompensation;
  /** A name for `after`. */
  readonly name?: string | undefined;
  /** Concurrent sagas: names or indices (from 0) of the steps that must have succeeded before. Default: none. */
  readonly after?: readonly (number | string)[] | undefined;
} & WithPayload<Payload>;

/** What a submit can be told in addition. */
export interface SubmitOptions extends CallOptions {
  /** As in {@link TransactionOptions}. Default: what the transaction's options say, else false. */
  readonly waitResult?: boolean | undefined;
}

/** An accepted transaction. */
export interface Submitted {
  readonly gid: string;
}

const STEP = { action: true, compensate: true, payload: true, name: true, after: true } satisfies Record<
  keyof SagaStep<object>,
  true
>;

interface AddedStep {
  readonly request: StepRequest;
  readonly payload: EncodedPayload;
  readonly name: string | undefined;
  readonly after: readonly (number | string)[];
}

/** A saga: steps that are undone by their compensations when one of them is refused; made by {@link Client.saga}. */
export class Saga {
  /** The id it is submitted under; submit may be repeated with it. */
  readonly gid: string;
  readonly #coordinator: Coordinator;
  readonly #options: SagaOptions;
  readonly #steps: AddedStep[] = [];
  readonly #attempts = new Attempts();
  #concurrent = false;

  /** @internal */
  constructor(coordinator: Coordinator, options: SagaOptions) {
    toWireOptions(options, "saga");
    this.#coordinator = coordinator;
    this.#options = options;
    this.gid = options.gid ?? randomGid();
  }

  /**
   * Adds a step.
   *
   * @throws DtmError STEP_INVALID for a step without action, or without compensation that doesn't say `noCompensation()`;
   * PAYLOAD_INVALID.
   */
  step<Payload>(step: SagaStep<Payload>): this {
    const { transport } = this.#coordinator;
    const what = `step ${this.#steps.length}`;
    requireKnown(step, STEP, { code: "STEP_INVALID", what });
    const action = urlOf(step.action, `${what}: action`);
    transport.checkAddress(action, `${what}: action`);
    const compensate = this.#compensation(step.compensate, what);
    const targets = isNoCompensation(step.compensate) ? [step.action] : [step.action, step.compensate];
    this.#steps.push({
      request: compensate === null ? { action } : { action, compensate },
      payload: "payload" in step ? transport.encode(step.payload, targets) : "",
      name: step.name,
      after: checkAfter(step.after, what),
    });
    return this;
  }

  /** All steps at once, except those that wait for others by `after`. Default: one after the other. */
  concurrent(): this {
    this.#concurrent = true;
    return this;
  }

  /**
   * Hands the saga to the coordinator. Resolves when it is durable there; with `waitResult` when it has succeeded. After an outcome that is
   * unclear (COORDINATOR_UNREACHABLE, COORDINATOR_ERROR, DEADLINE_EXCEEDED) it may be called again: what became of the first one is found out.
   *
   * @throws DtmError TRANSACTION_FAILED when a waited-for saga, or one that is submitted again (by the caller, or after a try whose answer was
   * lost), was rolled back or is on its way there, TRANSACTION_RUNNING when a waited-for one hasn't ended yet, TRANSACTION_CONFLICT when the gid
   * is used up by another transaction, also one with other actions or payloads, COORDINATOR_REFUSED, COORDINATOR_ERROR, COORDINATOR_UNREACHABLE,
   * DEADLINE_EXCEEDED, STEP_INVALID; OPTION_INVALID, also for a `gid`, which belongs to {@link Client.saga}.
   */
  async submit(options: SubmitOptions = {}): Promise<Submitted> {
    if (this.#steps.length === 0) throw new DtmError("STEP_INVALID", "expected at least one step, found none");
    const all = over<SagaOptions>(this.#options, options);
    const request = {
      gid: this.gid,
      transType: "saga" as const,
      options: toWireOptions(all, "saga"),
      steps: this.#steps.map((step) => step.request),
      payloads: this.#steps.map((step) => step.payload),
      ...this.#customData(),
    };
    const { mayHaveActed: again } = this.#attempts;
    const submission = { prepared: false, again, begun: this.#attempts.begun(this.gid, "submit") };
    await this.#attempts.make(() => this.#coordinator.submit(request, all, submission));
    return { gid: this.gid };
  }

  #compensation(compensate: unknown, what: string): string | null {
    if (isNoCompensation(compensate)) return null;
    checkCompensation(compensate, what);
    const url = urlOf(compensate, `${what}: compensate`);
    this.#coordinator.transport.checkAddress(url, `${what}: compensate`);
    return url;
  }

  #customData(): { customData?: string } {
    const orders = ordersOf(this.#steps);
    const ordered = Object.keys(orders).length > 0;
    if (!this.#concurrent) {
      if (ordered)
        throw new DtmError(
          "STEP_INVALID",
          "after: expected in a concurrent() saga only, found in one whose steps follow each other",
        );
      return {};
    }
    return { customData: JSON.stringify(ordered ? { concurrent: true, orders } : { concurrent: true }) };
  }
}

/** @throws DtmError STEP_INVALID unless it is an address, or says that there is nothing to undo. */
export function checkCompensation(compensate: unknown, what: string): void {
  if (isNoCompensation(compensate)) return;
  if (compensate === undefined || compensate === null || compensate === "") {
    throw new DtmError(
      "STEP_INVALID",
      `${what}: expected compensate, an address or noCompensation(), found ${describe(compensate)}`,
    );
  }
}

export function isNoCompensation(value: unknown): value is NoCompensation {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === NOTHING_TO_UNDO;
}

function checkAfter(after: unknown, what: string): readonly (number | string)[] {
  if (after === undefined) return [];
  if (Array.isArray(after)) return after.map((before: unknown) => checkBefore(before, what));
  throw new DtmError("STEP_INVALID", `${what}: after: expected an array of names or indices, found ${describe(after)}`);
}

function checkBefore(before: unknown, what: string): number | string {
  if (typeof before === "number" || typeof before === "string") return before;
  throw new DtmError("STEP_INVALID", `${what}: after: expected names or indices, found ${describe(before)}`);
}
