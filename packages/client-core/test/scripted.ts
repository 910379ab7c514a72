/** A transport whose answers a test writes down, one after the other; everything above it is real. */
import type { GlobalStatus } from "@dtm/protocol";
import { Client, type ClientOptions } from "../src/index.js";
import { toJsonText } from "../src/payload.js";
import type {
  BranchReply,
  CallLimits,
  Reply,
  Time,
  TransactionRequest,
  TransactionState,
  Transport,
  WorkflowState,
} from "../src/transport.js";

/** What a query tells. */
interface Told {
  readonly kind: "stored";
  readonly status: GlobalStatus | null;
  /** Default: the type of the request before, and no branches. */
  readonly more?: Partial<TransactionState>;
}

export type Scripted = Reply<unknown> | "hang" | Told;

export const done: Reply<unknown> = { kind: "done", value: undefined };
export const silent: Reply<unknown> = { kind: "silent", message: "connection reset", cause: new Error("connection reset") };
export const late: Reply<unknown> = { kind: "silent", message: "no answer in time", cause: undefined, timedOut: true };
export const error: Reply<unknown> = { kind: "error", message: "dtm panic" };
export const refused: Reply<unknown> = { kind: "refused", message: "topic not found" };
export const conflict = (message: string): Reply<unknown> => ({ kind: "conflict", message });
export const ongoing: Reply<unknown> = { kind: "ongoing", message: "ONGOING" };
export const stored = (status: GlobalStatus | null, more: Partial<TransactionState> = {}): Scripted => ({
  kind: "stored",
  status,
  more,
});
/** The branches of a stored saga, in dtm's order. */
export const sagaOf = (...actions: string[]): Pick<TransactionState, "branches"> => ({
  branches: actions.flatMap((url, step) =>
    ["compensate", "action"].map((op) => ({
      branchId: `0${step + 1}`,
      op,
      status: "prepared",
      url: op === "action" ? url : "",
      data: new Uint8Array(),
      finishedAt: null,
    })),
  ),
});

const stateOf = (gid: string, status: GlobalStatus): TransactionState => ({
  gid,
  transType: "saga",
  status,
  customData: "",
  rollbackReason: "",
  result: "",
  createdAt: null,
  finishedAt: null,
  rolledBackAt: null,
  branches: [],
});

export class ScriptedTransport implements Transport {
  readonly name = "http";
  readonly server = "scripted";
  readonly concurrentMessages = true;
  /** What was asked for, in order. */
  readonly log: string[] = [];
  readonly requests: TransactionRequest[] = [];
  /** How long each call was given, in milliseconds. */
  readonly timeouts: Record<string, number[]> = {};
  /** Called when a request has arrived, before it is answered. */
  arrived: (operation: string) => void = () => undefined;
  readonly #script: Record<string, Scripted[]>;
  branch: (url: string) => Promise<BranchReply> = async () => ({ outcome: { kind: "success" }, body: Buffer.alloc(0) });
  canQuery = true;

  /** Per operation the answers in order; the last one stays. */
  constructor(script: Record<string, Scripted[]>) {
    this.#script = script;
  }

  newGid(limits: CallLimits): Promise<Reply<string>> {
    return this.#next("newGid", "", limits) as Promise<Reply<string>>;
  }

  send(operation: "prepare" | "submit" | "abort", request: TransactionRequest, limits: CallLimits): Promise<Reply<void>> {
    this.requests.push(request);
    return this.#next(operation, request.gid, limits) as Promise<Reply<void>>;
  }

  registerBranch(registration: { readonly gid: string }, limits: CallLimits): Promise<Reply<void>> {
    return this.#next("registerBranch", registration.gid, limits) as Promise<Reply<void>>;
  }

  prepareWorkflow(request: TransactionRequest, limits: CallLimits): Promise<Reply<WorkflowState>> {
    return this.#next("prepareWorkflow", request.gid, limits) as Promise<Reply<WorkflowState>>;
  }

  changeTopic(_change: unknown, limits: CallLimits): Promise<Reply<void>> {
    return this.#next("topic", "", limits) as Promise<Reply<void>>;
  }

  query(gid: string, limits: CallLimits): Promise<Reply<TransactionState | null>> {
    return this.#next("query", gid, limits) as Promise<Reply<TransactionState | null>>;
  }

  requireQuery(): void {
    if (!this.canQuery) throw new Error("no way to ask");
  }

  callBranch(invocation: { readonly url: string }, limits: CallLimits): Promise<BranchReply> {
    this.log.push(`branch ${invocation.url}`);
    this.#arrive("branch", limits);
    return this.branch(invocation.url);
  }

  checkAddress(): void {}

  checkCallable(): void {}

  encode(payload: unknown): string {
    return toJsonText(payload);
  }

  close(): void {
    this.log.push("close");
  }

  #arrive(operation: string, limits: CallLimits): void {
    const timeouts = this.timeouts[operation] ?? [];
    timeouts.push(limits.timeoutMs);
    this.timeouts[operation] = timeouts;
    this.arrived(operation);
  }

  async #next(operation: string, gid: string, limits: CallLimits): Promise<Reply<unknown>> {
    this.log.push(operation);
    this.#arrive(operation, limits);
    const answers = this.#script[operation] ?? [done];
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? done;
    if (answer === "hang") return hang(limits);
    if (answer.kind !== "stored") return answer;
    if (answer.status === null) return { kind: "done", value: null };
    const { transType = "saga" } = this.requests.at(-1) ?? {};
    return { kind: "done", value: { ...stateOf(gid, answer.status), transType, ...answer.more } };
  }
}

/** As a real transport does: no answer until the clock of the request is over, or its caller gives up. */
function hang(limits: CallLimits): Promise<Reply<unknown>> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(late), limits.timeoutMs);
    limits.signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve({ kind: "silent", message: "given up by the caller", cause: undefined });
    });
  });
}

export class ScriptedClient extends Client {
  constructor(transport: Transport, options: ClientOptions = {}, time?: Time) {
    super(transport, options, time);
  }
}
