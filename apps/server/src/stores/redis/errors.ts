/** What an answer of Redis means for an operation (rules.md R7), and for somebody who starts the server. */

import { StoreUnavailable } from "../store.js";

/** Certain: whatever was sent of it, Redis executed none. */
export class NotDone extends StoreUnavailable {}

/** What keeps the server from starting on its Redis: one line that names the setting and what to do. */
export class RedisUnusable extends Error {
  override readonly name = "RedisUnusable";
}

/**
 * script: not executed, Redis doesn't know the script. elsewhere: not executed, another node has the slot or is the master. again: not
 * executed, it may be later. lost: no answer came, so the outcome is unknown. refused: not executed, and waiting won't help.
 */
export type Trouble = "script" | "elsewhere" | "again" | "lost" | "refused";

const TROUBLES: Readonly<Record<string, Trouble>> = {
  NOSCRIPT: "script",
  MOVED: "elsewhere",
  CLUSTERDOWN: "elsewhere",
  READONLY: "elsewhere",
  MASTERDOWN: "elsewhere",
  // The slot is on its way to another node; a script waits until all of it has arrived.
  ASK: "again",
  TRYAGAIN: "again",
  LOADING: "again",
  BUSY: "again",
  NOREPLICAS: "again",
  MISCONF: "again",
  OOM: "refused",
  NOAUTH: "refused",
  WRONGPASS: "refused",
  NOPERM: "refused",
  ERR: "refused",
  WRONGTYPE: "refused",
};

/** Redis 6 wraps the error of a command in a script: `ERR Error running script …: -OOM command not allowed …`. */
const WRAPPED = /-(OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|LOADING|NOPERM)\b/;

/** Only an answer of Redis itself says what became of an operation. */
export function troubleOf(cause: unknown): Trouble {
  if (!(cause instanceof Error) || cause.name !== "ReplyError") return "lost";
  const code = WRAPPED.exec(cause.message)?.[1] ?? cause.message.split(" ", 1)[0] ?? "";
  return TROUBLES[code] ?? "refused";
}

export function messageOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  return text.split("\n", 1)[0] ?? "";
}
