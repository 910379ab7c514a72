/** What the SQL stores need of a driver: sessions, and what an error means for what was asked (rules.md R7). */
import { types } from "node:util";
import type { Statements } from "./statements.js";

/**
 * `again`: rolled back for sure, and the same may succeed now (deadlock, serialization). `data`: this statement was refused for what it
 * holds. `lost`: the connection is gone or the server no longer serves; before COMMIT was sent that is a rollback. `down`: rolled back,
 * and the server can't do it now (disk full, a table is missing). `denied`: the same for want of a right, and the connection keeps the
 * rights that it began with.
 */
export type Trouble = "again" | "data" | "lost" | "down" | "denied";

/** Whether what is asked next needs another connection. */
export function endsConnection(trouble: Trouble): boolean {
  return trouble === "lost" || trouble === "denied";
}

/** Whether asking again at once is of no use. */
export function isRefusal(trouble: Trouble): boolean {
  return trouble === "down" || trouble === "denied";
}

/**
 * Seconds after which the server ends a transaction that stands idle, for its node was halted in the middle of a batch: another node's
 * callers wait longer for the rows that it has locked (R7).
 */
export const HALTED_S = 3;

/** One connection, used by one at a time. */
export interface Session {
  readonly statements: Statements;
  /** Rows changed so far; a batch that changed none needs no token. */
  readonly changes: number;
  /** Nothing may be sent that would be done without a transaction, should this fail. */
  begin(): void | Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  savepoint(): Promise<void>;
  release(): Promise<void>;
  rollbackToSavepoint(): Promise<void>;
  /** Inside a transaction: the last batch of this lane; the row stays locked until the end. */
  noteBatch(lane: string, token: string): void;
  /** Until the lane's row is locked. A COMMIT that is sent before could come late, after somebody read an older row. */
  noted(): Promise<void>;
  /** In a transaction of its own: waits for whoever holds the row, so what it reads is final. */
  lastBatch(lane: string): Promise<string | null>;
  forgetLane(lane: string): Promise<void>;
  troubleOf(cause: unknown): Trouble;
  /** Cuts the connection without a word. */
  destroy(): void;
  close(): Promise<void>;
}

export type Connect = () => Promise<Session>;

/** `localhost` that refuses on both its addresses is an error of two errors, without a text of its own. */
export function messageOf(cause: unknown): string {
  if (!types.isNativeError(cause)) return String(cause);
  if (cause.message === "" && "errors" in cause && Array.isArray(cause.errors)) return cause.errors.map(messageOf).join("; ");
  return cause.message;
}
