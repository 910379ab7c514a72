/** One change of the store as it waits for the next commit, and what each kind is answered. */
import type { Branch, Loaded, Millis, Transaction } from "../../engine/transaction.js";
import type {
  BranchResult,
  CallerChange,
  CallerResult,
  Claim,
  Claimed,
  CreateResult,
  DriverMove,
  Fence,
  FencedResult,
  MoveResult,
  Rest,
  SubmitResult,
} from "../store.js";

/** Of one transaction; the waves of a batch are made by its gid. */
export type GidOperation =
  | { readonly kind: "create"; readonly gid: string; readonly loaded: Loaded }
  | { readonly kind: "submit"; readonly gid: string; readonly loaded: Loaded }
  | { readonly kind: "register"; readonly gid: string; readonly branches: readonly Branch[] }
  | { readonly kind: "change"; readonly gid: string; readonly change: CallerChange }
  | { readonly kind: "nudge"; readonly gid: string; readonly at: Millis }
  | { readonly kind: "move"; readonly gid: string; readonly move: DriverMove }
  | {
      readonly kind: "record";
      readonly gid: string;
      readonly fence: Fence;
      readonly results: readonly BranchResult[];
      readonly at: Millis;
    }
  | { readonly kind: "rest"; readonly gid: string; readonly rest: Rest };

/** Of whatever it finds. */
export type WideOperation =
  | { readonly kind: "claimDue"; readonly claim: Claim }
  | { readonly kind: "claimWaiting"; readonly destination: string; readonly claim: Claim }
  | { readonly kind: "wakeWaiting"; readonly destination: string; readonly limit: number; readonly at: Millis }
  | { readonly kind: "resetDue"; readonly after: Millis; readonly at: Millis; readonly limit: number }
  | { readonly kind: "sweep"; readonly createdFrom: Millis; readonly endedBefore: Millis; readonly limit: number }
  | { readonly kind: "createKey"; readonly cat: string; readonly key: string; readonly value: string; readonly at: Millis }
  | {
      readonly kind: "updateKey";
      readonly cat: string;
      readonly key: string;
      readonly value: string;
      readonly version: number;
      readonly at: Millis;
    }
  | { readonly kind: "deleteKey"; readonly cat: string; readonly key: string };

export type Operation = GidOperation | WideOperation;

export interface Answers {
  create: CreateResult;
  submit: SubmitResult;
  register: "registered" | "duplicate" | "not-prepared";
  change: CallerResult;
  nudge: boolean;
  move: MoveResult;
  record: FencedResult;
  rest: FencedResult;
  claimDue: Claimed;
  claimWaiting: readonly Loaded[];
  wakeWaiting: number;
  resetDue: { readonly count: number; readonly remaining: boolean };
  sweep: number;
  createKey: "created" | "exists";
  updateKey: boolean;
  deleteKey: boolean;
}

export type Answer = Answers[keyof Answers];
export type OfKind<K extends Operation["kind"]> = Extract<Operation, { readonly kind: K }>;

/** Rough, in bytes: what a queue of these holds in memory (R7). Written out for a database it makes at most four times as many. */
export function weightOf(operation: Operation): number {
  switch (operation.kind) {
    case "create":
    case "submit":
      return 512 + weightOfTexts(operation.loaded.transaction) + weightOfBranches(operation.loaded.branches);
    case "register":
      return 256 + weightOfBranches(operation.branches);
    case "move":
      return 256 + 64 * operation.move.results.length;
    case "record":
      return 256 + 64 * operation.results.length;
    case "rest":
      return 256 + 64 * operation.rest.results.length;
    case "createKey":
    case "updateKey":
      return 256 + operation.value.length;
    default:
      return 256;
  }
}

function weightOfBranches(branches: readonly Branch[]): number {
  let bytes = 0;
  for (const { payload, url } of branches) bytes += 256 + payload.length + url.length;
  return bytes;
}

function weightOfTexts({ queryPrepared, customData }: Transaction): number {
  return queryPrepared.length + customData.length;
}
