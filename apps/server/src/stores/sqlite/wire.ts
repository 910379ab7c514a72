/**
 * What crosses the threads: plain objects and flat rows, which structured cloning copies for about a microsecond each. Payloads of
 * one message travel together in one array; a row only knows its payload's length.
 */
import type { BranchResult, CallerChange, Claim, DriverMove, Fence, ListFilter, Rest, StuckAsk } from "../store.js";

/** What a column holds. Nothing else may be bound: the driver aborts the whole process over a boolean. */
export type Value = string | number | null;
export type Row = readonly Value[];

/** Branch rows whose payloads lie one after the other in the message's bytes. */
export interface BranchRows {
  /** Where the first payload begins; set when the message is packed. */
  from: number;
  readonly rows: readonly Row[];
}

/** A transaction and its branches as columns. */
export interface LoadedRows {
  readonly global: Row;
  readonly branches: BranchRows;
}

export type WriteOperation =
  | { readonly kind: "create"; readonly gid: string; readonly global: Row; readonly branches: BranchRows }
  | { readonly kind: "submit"; readonly gid: string; readonly global: Row; readonly branches: BranchRows }
  | { readonly kind: "register"; readonly gid: string; readonly branches: BranchRows }
  | { readonly kind: "change"; readonly gid: string; readonly change: CallerChange }
  | { readonly kind: "nudge"; readonly gid: string; readonly at: number }
  | { readonly kind: "move"; readonly gid: string; readonly move: DriverMove }
  | {
      readonly kind: "record";
      readonly gid: string;
      readonly fence: Fence;
      readonly results: readonly BranchResult[];
      readonly at: number;
    }
  | { readonly kind: "rest"; readonly gid: string; readonly rest: Rest }
  | { readonly kind: "claimDue"; readonly claim: Claim }
  | { readonly kind: "claimWaiting"; readonly destination: string; readonly claim: Claim }
  | { readonly kind: "wakeWaiting"; readonly destination: string; readonly limit: number; readonly at: number }
  | { readonly kind: "resetDue"; readonly after: number; readonly at: number; readonly limit: number }
  | { readonly kind: "sweep"; readonly endedBefore: number; readonly limit: number }
  | { readonly kind: "createKey"; readonly cat: string; readonly key: string; readonly value: string; readonly at: number }
  | {
      readonly kind: "updateKey";
      readonly cat: string;
      readonly key: string;
      readonly value: string;
      readonly version: number;
      readonly at: number;
    }
  | { readonly kind: "deleteKey"; readonly cat: string; readonly key: string }
  | { readonly kind: "ping" };

/**
 * What an operation came to, small enough to be kept with the batch: after a crash between commit and reply it is all that is needed
 * to answer as if nothing had happened, the rows being read again.
 */
export type Word = string | number | boolean | null | readonly (number | null)[];

export type Answer = readonly [word: Word] | readonly [word: Word, rows: readonly LoadedRows[]];

/** `rejected`: the data was refused, nothing of it is stored. `unavailable`: the store can't answer, or the outcome is unknown. */
export interface Failure {
  readonly failed: "rejected" | "unavailable";
  readonly message: string;
}

export interface WriteRequest {
  /** Unique per batch; stored with it (R7). */
  readonly token: string;
  readonly operations: readonly WriteOperation[];
  readonly bytes: Uint8Array;
}

export interface WriteReply {
  readonly answers: readonly (Answer | Failure)[];
  readonly bytes: Uint8Array;
}

export type ReadRequest =
  | { readonly kind: "find"; readonly gid: string }
  | { readonly kind: "ownedBy"; readonly owner: string }
  | { readonly kind: "waitingDestinations"; readonly atLeast: number }
  | ({ readonly kind: "summary" } & StuckAsk)
  | { readonly kind: "list"; readonly filter: ListFilter }
  | { readonly kind: "findKeys"; readonly cat: string; readonly key: string }
  | { readonly kind: "scanKeys"; readonly cat: string; readonly position: string; readonly limit: number }
  | { readonly kind: "ping" };

/** `value` is what Prisma's reads answer, already in the store's own shapes; `rows` what SQL's reads answer. */
export type ReadReply =
  | { readonly kind: "rows"; readonly rows: readonly LoadedRows[]; readonly bytes: Uint8Array }
  | { readonly kind: "value"; readonly value: unknown };

/** What a worker is asked, with the number its answer will carry. */
export interface Ask<Request> {
  readonly id: number;
  readonly request: Request;
  /** It was asked before, of a worker that ended without a reply. */
  readonly again: boolean;
}

export type FromWorker<Reply> =
  | { readonly kind: "ready" }
  /** It could not open the database; `name` is the class of the error. */
  | { readonly kind: "unusable"; readonly name: string; readonly message: string }
  | { readonly kind: "reply"; readonly id: number; readonly reply: Reply | Failure };

export type ToWorker<Request> = { readonly kind: "ask"; readonly ask: Ask<Request> } | { readonly kind: "close" };

export interface WorkerStart {
  readonly file: string;
  /** False after a crash: the owners in the database are alive then (R25). */
  readonly first: boolean;
  readonly now: number;
  readonly autoMigrate: boolean;
}

export function isFailure(reply: unknown): reply is Failure {
  return typeof reply === "object" && reply !== null && "failed" in reply;
}

/** Puts payloads one after the other. */
export class Packer {
  readonly #payloads: Uint8Array[] = [];
  #length = 0;

  add(payloads: readonly Uint8Array[]): number {
    const from = this.#length;
    for (const payload of payloads) {
      this.#payloads.push(payload);
      this.#length += payload.length;
    }
    return from;
  }

  /** A fresh array: a view into a larger buffer would take that whole buffer along. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const payload of this.#payloads) {
      bytes.set(payload, offset);
      offset += payload.length;
    }
    return bytes;
  }
}
