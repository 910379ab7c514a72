/** Rows and views for machine tables: a test says only what its case is about, the rest is plain. */
import type { Plan } from "../../src/engine/plan.js";
import { readPlan } from "../../src/engine/plan.js";
import { DEFAULT_ENGINE_SETTINGS, type TypeSettings } from "../../src/engine/settings.js";
import type { Answer, Step, View } from "../../src/engine/step.js";
import {
  type Branch,
  type BranchStatus,
  type GlobalStatus,
  type Millis,
  NO_OPTIONS,
  type Transaction,
  type TransactionOptions,
  type TransactionType,
} from "../../src/engine/transaction.js";

/** When every transaction of a table was created. */
export const CREATED: Millis = 1_700_000_000_000;

export function aTransaction(type: TransactionType, status: GlobalStatus, fields: Partial<Transaction> = {}): Transaction {
  return {
    id: 1,
    gid: "g",
    type,
    status,
    protocol: "http",
    queryPrepared: "",
    options: NO_OPTIONS,
    customData: "",
    createTime: CREATED,
    updateTime: CREATED,
    submitTime: status === "submitted" ? CREATED : null,
    finishTime: null,
    rollbackTime: null,
    nextCronInterval: 10,
    nextCronTime: CREATED + 10_000,
    owner: "node:1",
    result: "",
    rollbackReason: "",
    attempts: 0,
    refusals: 0,
    wake: 0,
    waitingOn: "",
    ...fields,
  };
}

export function aBranch(branchId: string, op: string, status: BranchStatus = "prepared", url = `/${op}/${branchId}`): Branch {
  return {
    id: 0,
    gid: "g",
    branchId,
    op,
    url,
    payload: new Uint8Array(0),
    status,
    createTime: CREATED,
    updateTime: CREATED,
    finishTime: null,
    rollbackTime: null,
  };
}

/** Saga rows: per step the action's status, and after a slash its compensation's (`"succeed/prepared"`). */
export function sagaRows(...steps: readonly string[]): Branch[] {
  return steps.flatMap((step, index) => {
    const [action, compensation] = step.split("/");
    const id = String(index + 1).padStart(2, "0");
    return [
      aBranch(id, "compensate", branchStatus(compensation ?? "prepared")),
      aBranch(id, "action", branchStatus(action ?? "prepared")),
    ];
  });
}

export function msgRows(...statuses: readonly BranchStatus[]): Branch[] {
  return statuses.map((status, index) => aBranch(String(index + 1).padStart(2, "0"), "action", status));
}

export interface ViewFields {
  readonly type: TransactionType;
  readonly status: GlobalStatus;
  readonly branches?: readonly Branch[];
  readonly options?: Partial<TransactionOptions>;
  readonly settings?: Partial<TypeSettings>;
  readonly transaction?: Partial<Transaction>;
  readonly customData?: string;
  /** Seconds since the creation. */
  readonly age?: number;
  readonly answers?: Readonly<Record<number, Answer>>;
  readonly inFlight?: readonly number[];
  readonly started?: readonly number[];
  readonly fresh?: boolean;
  readonly retries?: number;
}

export function aView(fields: ViewFields): View {
  const { type, status } = fields;
  const options = { ...NO_OPTIONS, ...fields.options };
  const customData = fields.customData ?? "";
  const settings = { ...DEFAULT_ENGINE_SETTINGS.types[type], ...fields.settings };
  const timeout = options.timeoutToFail || settings.timeoutToFail;
  const answers = new Map(Object.entries(fields.answers ?? {}).map(([place, answer]) => [Number(place), answer]));
  const inFlight = new Set(fields.inFlight);
  const plan: Plan = readPlan(type, customData);
  return {
    transaction: aTransaction(type, status, { options, customData, ...fields.transaction }),
    branches: fields.branches ?? [],
    plan,
    settings,
    now: CREATED + (fields.age ?? 0) * 1000,
    timeoutAt: timeout > 0 ? CREATED + timeout * 1000 : null,
    fresh: fields.fresh ?? false,
    started: new Set([...(fields.started ?? []), ...inFlight, ...answers.keys()]),
    inFlight,
    answers,
    retries: fields.retries ?? 0,
  };
}

export const SUCCESS: Answer = { kind: "success" };
export const FAILURE: Answer = { kind: "failure", reason: "no stock" };
export const ONGOING: Answer = { kind: "ongoing", reason: "" };
export const UNKNOWN: Answer = { kind: "unknown", message: "connection reset" };
/** Deferred until 30 s after the creation. */
export const DEFERRED: Answer = { kind: "deferred", untilMs: CREATED + 30_000 };

/** A step in one line, times as seconds since the creation. */
export function show(step: Step): string {
  const at = (until: Millis | undefined): string => (until === undefined ? "" : ` until ${(until - CREATED) / 1000}s`);
  switch (step.kind) {
    case "call":
      return `call ${step.calls.join(" ")}`;
    case "await":
      return `await${at(step.until)}`;
    case "move":
      return step.reason === undefined ? `move ${step.to}` : `move ${step.to}: ${step.reason}`;
    case "rest":
      return `rest ${step.pace}${at(step.until)}${step.stuck ? " stuck" : ""}`;
    case "done":
      return "done";
  }
}

function branchStatus(word: string): BranchStatus {
  if (word === "prepared" || word === "succeed" || word === "failed") return word;
  throw new Error(`'${word}' is no branch status`);
}
