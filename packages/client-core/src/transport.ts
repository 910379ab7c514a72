/**
 * What a transport does: carry one request and say what came back. It repeats nothing, judges nothing and throws only for a request that
 * can't be made at all; what an answer means for a transaction is decided in coordinator.ts, once for HTTP and gRPC.
 */
import type { GlobalStatus, Outcome, TransactionType } from "@dtm/protocol";
import type { AddressLike } from "./address.js";
import type { WireOptions } from "./options.js";

/** A payload as its transport carries it: JSON text over HTTP, bytes over gRPC. */
export type EncodedPayload = string | Uint8Array;

/** The clock of one request. */
export interface CallLimits {
  /** How long an answer is waited for, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait at once; what the other side does then is unknown. */
  readonly signal?: AbortSignal | undefined;
  /** Whose milliseconds these are. Absent: the real ones. */
  readonly time?: Time | undefined;
  /** Better to wait a little for a connection than to fail by one that was lost before: for repeats, and for what is sent only once. */
  readonly patient?: boolean | undefined;
}

/** Time as a client sees it; the test kit has one of its own. */
export interface Time {
  /** Milliseconds since some moment; never goes back. */
  monotonic(): number;
  /** Ends early, with an error, when the signal fires. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** For jitter; between 0 and 1. */
  random(): number;
}

/** What the coordinator answered to one request. */
export type Reply<T> =
  | { readonly kind: "done"; readonly value: T }
  /** 409, ABORTED: the stored status doesn't allow it, or a waiting submit didn't end in success. */
  | { readonly kind: "conflict"; readonly message: string }
  /** 425, FAILED_PRECONDITION: a waiting caller's branch is still at work. */
  | { readonly kind: "ongoing"; readonly message: string }
  /** Definite: nothing was changed. */
  | { readonly kind: "refused"; readonly message: string }
  /** An error of the coordinator's own: whether it acted before is open. */
  | { readonly kind: "error"; readonly message: string }
  /** No answer: whether it acted is open. `timedOut`: our own clock ended it, which doesn't show that nobody can be reached there. */
  | { readonly kind: "silent"; readonly message: string; readonly cause: unknown; readonly timedOut?: boolean | undefined };

export interface StepRequest {
  readonly action: string;
  /** Empty or absent: nothing to undo. */
  readonly compensate?: string;
}

/** The body T of protocol.md 1.3. */
export interface TransactionRequest {
  readonly gid: string;
  readonly transType: TransactionType;
  readonly options: WireOptions;
  readonly steps?: readonly StepRequest[];
  /** One per step. */
  readonly payloads?: readonly EncodedPayload[];
  readonly customData?: string;
  readonly queryPrepared?: string;
  readonly rollbackReason?: string;
  /** Workflow only: `status`, `rollback_reason`, `result`. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** The body R of protocol.md 1.9. */
export interface BranchRegistration {
  readonly gid: string;
  readonly transType: "tcc" | "xa" | "workflow";
  readonly branchId: string;
  readonly payload?: EncodedPayload;
  /** tcc: `confirm`, `cancel`; xa: `url`; workflow: `op`, `status`. */
  readonly data: Readonly<Record<string, string>>;
}

/** A branch call made by a client (protocol.md 6.1): tcc try, xa action, a message's query. */
export interface BranchInvocation {
  readonly url: string;
  readonly gid: string;
  readonly transType: TransactionType;
  readonly branchId: string;
  readonly op: string;
  /** Absent: a GET without body, an empty message. */
  readonly payload?: EncodedPayload;
  readonly headers: Readonly<Record<string, string>>;
  /** XA only. */
  readonly phase2Url?: string;
  /** The coordinator that the branch is told of; absent: the client's own. */
  readonly coordinator?: string | undefined;
  /** Only the status decides, not the words in the answer (protocol.md 6.6). */
  readonly strict?: boolean | undefined;
}

export interface BranchReply {
  readonly outcome: Outcome;
  readonly body: Uint8Array;
}

/** One branch of a transaction, as the coordinator stores it. */
export interface BranchState {
  readonly branchId: string;
  readonly op: string;
  readonly status: string;
  readonly url: string;
  /** What the branch is called with, or a workflow step's result. */
  readonly data: Uint8Array;
  readonly finishedAt: Date | null;
}

/** A transaction, as the coordinator stores it. */
export interface TransactionState {
  readonly gid: string;
  readonly transType: string;
  /** What its client keeps with it: a saga's order of steps, a message's delay, a workflow's name and input. */
  readonly customData: string;
  readonly status: GlobalStatus;
  /** Why it was rolled back; empty when it wasn't, or nobody said. */
  readonly rollbackReason: string;
  /** A workflow's result, in base64; empty for other types. */
  readonly result: string;
  readonly createdAt: Date | null;
  readonly finishedAt: Date | null;
  readonly rolledBackAt: Date | null;
  /** In the order of their creation. */
  readonly branches: readonly BranchState[];
}

/** What `prepareWorkflow` answers (protocol.md 1.10). */
export interface WorkflowState {
  readonly gid: string;
  /** Empty where the answer doesn't say: over gRPC. */
  readonly transType: string;
  /** As it was first stored; empty where the answer doesn't say: over gRPC. */
  readonly customData: string;
  readonly status: string;
  readonly rollbackReason: string;
  /** In base64. */
  readonly result: string;
  readonly progresses: readonly {
    readonly branchId: string;
    readonly op: string;
    readonly status: string;
    readonly data: Uint8Array;
  }[];
}

export type TopicChange =
  | { readonly kind: "subscribe"; readonly topic: string; readonly url: string; readonly remark: string }
  | { readonly kind: "unsubscribe"; readonly topic: string; readonly url: string }
  | { readonly kind: "delete"; readonly topic: string };

export interface Transport {
  readonly name: "http" | "grpc";
  /** The coordinator's address as branches are told it. */
  readonly server: string;
  /** gRPC has no field for it. */
  readonly concurrentMessages: boolean;
  newGid(limits: CallLimits): Promise<Reply<string>>;
  send(operation: "prepare" | "submit" | "abort", request: TransactionRequest, limits: CallLimits): Promise<Reply<void>>;
  /** `coordinator`: another one than the client's own, as a branch call named it. */
  registerBranch(registration: BranchRegistration, limits: CallLimits, coordinator?: string): Promise<Reply<void>>;
  prepareWorkflow(request: TransactionRequest, limits: CallLimits): Promise<Reply<WorkflowState>>;
  changeTopic(change: TopicChange, limits: CallLimits): Promise<Reply<void>>;
  query(gid: string, limits: CallLimits): Promise<Reply<TransactionState | null>>;
  /** @throws DtmError OPTION_INVALID when this client has no way to ask. */
  requireQuery(): void;
  callBranch(invocation: BranchInvocation, limits: CallLimits): Promise<BranchReply>;
  /** @throws DtmError STEP_INVALID, naming `what`, when this transport can't reach such an address. */
  checkAddress(url: string, what: string): void;
  /** As {@link checkAddress}, for an address that the client calls by itself: what only the coordinator may know is refused. */
  checkCallable(url: string, what: string): void;
  /**
   * @param addresses - Who gets the payload; the first that brings its own codec encodes it.
   * @throws DtmError PAYLOAD_INVALID with the place in the payload.
   */
  encode(payload: unknown, addresses: readonly AddressLike[]): EncodedPayload;
  close(): void;
}
