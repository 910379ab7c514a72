/** What the transports and the admin API may ask. Decoders make the inputs; every refusal is a thrown `Refusal`. */
import type { KeyValue, ListFilter, Page } from "../stores/store.js";
import type { Loaded, Protocol, TransactionOptions } from "./transaction.js";

export interface StepInput {
  /** A URL or `topic://name`. */
  readonly action: string;
  /** "" = nothing to undo. */
  readonly compensate: string;
}

/** Body "T" of protocol.md 1.3, decoded but not yet judged: R22 is checked by the commands, the same for every transport. */
export interface TransactionInput {
  readonly gid: string;
  /** As the client wrote it; "" when absent. */
  readonly type: string;
  readonly protocol: Protocol;
  readonly steps: readonly StepInput[];
  /** Aligned with steps; legacy `steps[].data` is already appended. */
  readonly payloads: readonly Uint8Array[];
  readonly queryPrepared: string;
  readonly customData: string;
  readonly options: TransactionOptions;
  readonly rollbackReason: string;
  /** Of a workflow's submit: status, rollback_reason, result. */
  readonly extra: Readonly<Record<string, string>>;
}

/** Body "R" of protocol.md 1.9. */
export interface BranchInput {
  readonly gid: string;
  readonly type: string;
  readonly branchId: string;
  readonly payload: Uint8Array;
  readonly confirm: string;
  readonly cancel: string;
  readonly url: string;
  readonly op: string;
  readonly status: string;
}

export interface Coordinator {
  newGid(): string;
  prepare(input: TransactionInput): Promise<void>;
  /** With `wait_result` answers by R11; refuses with ROLLED_BACK, WAIT_NOT_SUCCESS, BRANCH_*. */
  submit(input: TransactionInput): Promise<void>;
  abort(input: TransactionInput): Promise<void>;
  forceStop(gid: string, rollbackReason: string): Promise<void>;
  registerBranch(input: BranchInput): Promise<void>;
  prepareWorkflow(input: TransactionInput): Promise<Loaded>;
  query(gid: string): Promise<Loaded | null>;
  list(filter: ListFilter): Promise<Page>;
  /** `timeoutSeconds` null: three times TimeoutToFail. */
  resetCronTime(ask: {
    readonly timeoutSeconds: number | null;
    readonly limit: number;
  }): Promise<{ readonly count: number; readonly remaining: boolean }>;
  resetNextCronTime(gid: string): Promise<void>;
}

/** Topics and the kv table behind them (protocol.md 1.12, 7.6; R29). Refuses with TOPIC_REFUSED and dtm's texts. */
export interface TopicRegistry {
  /** The subscribers' URLs; reads the store before it says that a topic is unknown. Null when unknown or empty. */
  subscribers(topic: string): Promise<readonly string[] | null>;
  subscribe(topic: string, url: string, remark: string): Promise<void>;
  unsubscribe(topic: string, url: string): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  findKeys(filter: { readonly cat: string; readonly key: string }): Promise<readonly KeyValue[]>;
  scanKeys(page: {
    readonly cat: string;
    readonly position: string;
    readonly limit: number;
  }): Promise<{ readonly entries: readonly KeyValue[]; readonly nextPosition: string }>;
}

/** What the parts report to, so that none knows prom-client. Every method is cheap and never throws (protocol.md 7.5). */
export interface Telemetry {
  /** A request was answered; `failed` as in the metric: HTTP status >= 400, gRPC code other than OK. */
  served(type: "http" | "grpc", api: string, failed: boolean, seconds: number): void;
  drove(model: string, failed: boolean, secondsSinceCreate: number): void;
  called(model: string, branchId: string, op: string, failed: boolean): void;
}

export interface Log {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}
