/** What the engine asks of a participant, and what it may hear back. An answer is a value; a participant call never rejects. */

import type { Outcome } from "@dtm/protocol";
import type { Millis, Protocol, TransactionType } from "../engine/transaction.js";

export type { Outcome };

export interface Invocation {
  /** As stored; never empty (an empty URL succeeds without a call, protocol.md 3.1, and is the engine's business). */
  readonly url: string;
  readonly protocol: Protocol;
  readonly gid: string;
  readonly type: TransactionType;
  readonly branchId: string;
  readonly op: string;
  /** Passed through untouched. */
  readonly payload: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: Millis;
}

export interface Participants {
  /** Scheme + host + port + path (HTTP), target + method (gRPC): what limits and breakers are kept by (R12). */
  destinationOf(invocation: Pick<Invocation, "url" | "protocol">): string;
  /** Calls once, ends within `timeoutMs`, never rejects. */
  call(invocation: Invocation): Promise<Outcome>;
  close(): Promise<void>;
}
