/** The one surface of both clients: what a transport adds is how requests travel. */
import { DtmError } from "@dtm/protocol";
import { describe, requireFunction, requireObject, requireText } from "./address.js";
import { Coordinator, type CoordinatorSettings } from "./coordinator.js";
import { realTime } from "./deadline.js";
import { emitWarning } from "./errors.js";
import { checkGid } from "./gid.js";
import { openNested, type ParentBranch, runGlobal } from "./global.js";
import { Msg } from "./msg.js";
import {
  type CallOptions,
  checkTimeout,
  type MsgOptions,
  onlyCall,
  type SagaOptions,
  type TransactionOptions,
} from "./options.js";
import { checkParent } from "./parent.js";
import { waitForEnd } from "./query.js";
import { Saga } from "./saga.js";
import { Tcc } from "./tcc.js";
import { Topics } from "./topics.js";
import type { Time, TransactionState, Transport } from "./transport.js";
import { Xa, type XaRegistration } from "./xa.js";

/** Settings of both clients. */
export interface ClientOptions {
  /** How long one call to the coordinator or to a branch may take with all its repeats, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Takes what can't be thrown because another error is thrown already, like an abort that failed after your own error. May be asynchronous; an
   * error of its own goes to `process.emitWarning`, together with what it was told. Default: `process.emitWarning`.
   */
  readonly onWarning?: ((error: Error) => void) | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** For sibling packages: an application can load the ES module and the CommonJS build, and both must find it. */
const COORDINATOR = Symbol.for("dtm.client-coordinator");

/**
 * @internal
 * @throws DtmError OPTION_INVALID for anything but a client.
 */
export function coordinatorOf(client: Client): Coordinator {
  const given: unknown = client;
  if (typeof given === "object" && given !== null && COORDINATOR in given) return client[COORDINATOR];
  throw new DtmError("OPTION_INVALID", `client: expected an HttpClient or a GrpcClient, found ${describe(given)}`);
}

/** What the HTTP and the gRPC client have in common: every type of transaction, topics, and questions about transactions. */
export abstract class Client {
  /** Topics and their subscribers. */
  readonly topics: Topics;
  /**
   * Registers a local XA branch; `@dtm/barrier/xa` calls it before the database prepares: `{ register: client.registerXaBranch }`, since it
   * needs no `this`. Sent once: without a definite answer it is an error, and the local transaction must be rolled back.
   *
   * @throws DtmError TRANSACTION_CONFLICT when the global transaction has ended, COORDINATOR_REFUSED, COORDINATOR_ERROR,
   * COORDINATOR_UNREACHABLE, DEADLINE_EXCEEDED; OPTION_INVALID for a coordinator that this client can't reach, or when a part is missing.
   */
  readonly registerXaBranch = async (registration: XaRegistration, options: CallOptions = {}): Promise<void> => {
    requireObject(registration, "OPTION_INVALID", "registration");
    const { gid, branchId, url, coordinator } = registration;
    requireText(gid, "OPTION_INVALID", "gid");
    requireText(branchId, "OPTION_INVALID", "branchId");
    requireText(url, "OPTION_INVALID", "url");
    const address = coordinator ? coordinator : undefined;
    await this[COORDINATOR].registerBranch({ gid, transType: "xa", branchId, data: { url } }, onlyCall(options), address);
  };
  /** @internal */
  readonly [COORDINATOR]: Coordinator;

  protected constructor(transport: Transport, options: ClientOptions, time: Time = realTime) {
    requireObject(options, "OPTION_INVALID", "options");
    if (options.onWarning !== undefined) requireFunction(options.onWarning, "OPTION_INVALID", "onWarning");
    const settings: CoordinatorSettings = {
      timeoutMs: options.timeoutMs === undefined ? DEFAULT_TIMEOUT_MS : checkTimeout("timeoutMs", options.timeoutMs),
      onWarning: options.onWarning ?? emitWarning,
      time,
    };
    this[COORDINATOR] = new Coordinator(transport, settings);
    this.topics = new Topics(this[COORDINATOR]);
  }

  /** A saga: steps with compensations. */
  saga(options: SagaOptions = {}): Saga {
    return new Saga(this[COORDINATOR], options);
  }

  /** A message: steps that are carried out once your local transaction has committed. */
  msg(options: MsgOptions = {}): Msg {
    return new Msg(this[COORDINATOR], options);
  }

  /**
   * A TCC transaction. Prepares it, runs `work`, and submits; an error of `work` or of a branch aborts it and is thrown.
   *
   * @returns What `work` returned, when the submit is durable (with `waitResult`: when everything is confirmed).
   * @throws The error of `work` or of a branch; else TRANSACTION_FAILED when the coordinator had rolled it back by its timeout,
   * TRANSACTION_RUNNING when a waited-for transaction hasn't ended, and what `prepare` and `submit` of a message throw.
   */
  tcc<T>(work: (tcc: Tcc) => Promise<T> | T): Promise<T>;
  tcc<T>(options: TransactionOptions, work: (tcc: Tcc) => Promise<T> | T): Promise<T>;
  async tcc<T>(...given: GlobalArguments<Tcc, T>): Promise<T> {
    const [options, work] = given.length === 1 ? [{}, given[0]] : given;
    return runGlobal(this[COORDINATOR], "tcc", options, (parts) => new Tcc(parts), work);
  }

  /**
   * Nested branches, for a service that serves a TCC branch itself. The entry points of @dtm/barrier wait for them and pass their first error
   * on, also one that the handler has caught or not awaited: whoever opened the global transaction then aborts it. Where no entry point serves
   * the parent, passing errors on is left to the caller.
   *
   * @param parent - Default: the branch call that the running code serves.
   * @throws DtmError NOT_IN_BRANCH, BRANCH_INVALID; TRANSACTION_CONFLICT after the end of the parent's handler.
   */
  tccFrom(parent?: ParentBranch): Tcc {
    return openNested(this[COORDINATOR], "tcc", checkParent(parent), (parts) => new Tcc(parts));
  }

  /** An XA transaction, the global part; as {@link Client.tcc}. The local part is in `@dtm/barrier/xa`. */
  xa<T>(work: (xa: Xa) => Promise<T> | T): Promise<T>;
  xa<T>(options: TransactionOptions, work: (xa: Xa) => Promise<T> | T): Promise<T>;
  async xa<T>(...given: GlobalArguments<Xa, T>): Promise<T> {
    const [options, work] = given.length === 1 ? [{}, given[0]] : given;
    return runGlobal(this[COORDINATOR], "xa", options, (parts) => new Xa(parts), work);
  }

  /** Nested XA branches; as {@link Client.tccFrom}. */
  xaFrom(parent?: ParentBranch): Xa {
    return openNested(this[COORDINATOR], "xa", checkParent(parent), (parts) => new Xa(parts));
  }

  /** A new global id, from the coordinator. Transactions without `gid` make one by themselves and don't need it. */
  async newGid(options: CallOptions = {}): Promise<string> {
    return this[COORDINATOR].newGid(onlyCall(options));
  }

  /** What the coordinator has stored of a transaction; null when it knows none with this gid. */
  async query(gid: string, options: CallOptions = {}): Promise<TransactionState | null> {
    return this[COORDINATOR].query(checkGid(gid), onlyCall(options));
  }

  /**
   * Waits until a transaction has ended, by asking again and again.
   *
   * @param options - `timeoutMs`: default 60,000.
   * @returns Its state: `succeed` or `failed`.
   * @throws DtmError TRANSACTION_UNKNOWN; DEADLINE_EXCEEDED and CLIENT_CLOSED, with the `status` that was found last.
   */
  async waitFor(gid: string, options: CallOptions = {}): Promise<TransactionState> {
    return waitForEnd(this[COORDINATOR], gid, onlyCall(options));
  }

  /**
   * Ends the connections. Calls under way fail with CLIENT_CLOSED (those of a branch with BRANCH_UNKNOWN), and what became of them is
   * unknown; later ones are refused with CLIENT_CLOSED before anything is sent. Both are TransactionErrors where something was done under the
   * gid already, as with the submit after a message's local transaction: its outcome is open then, and the error says who goes on with it.
   */
  close(): void {
    this[COORDINATOR].close();
  }
}

type Work<Scope, T> = (scope: Scope) => Promise<T> | T;
type GlobalArguments<Scope, T> = [work: Work<Scope, T>] | [options: TransactionOptions, work: Work<Scope, T>];
