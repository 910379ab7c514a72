/** What a caller is told when something could not be done: one table (engine/refusal.ts), and the store's errors in its terms. */
import type { Log } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import { StoreOverloaded, StoreRejected, StoreUnavailable } from "../../stores/store.js";
import { type Answer, json, withHeader } from "./answer.js";

/** Every failure as a refusal. The texts of drivers stay in the log: they may hold addresses, and the words that SDKs search for. */
export function refusalFrom(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  if (cause instanceof StoreOverloaded) return new Refusal("UNAVAILABLE", "the store is overloaded: try again", { cause });
  if (cause instanceof StoreUnavailable) {
    const message = "the store can't answer, so it is unknown whether this was stored: the same request may be sent again";
    return new Refusal("UNAVAILABLE", message, { cause });
  }
  if (cause instanceof StoreRejected) return new Refusal("STORE_REFUSED", cause.message, { cause });
  return new Refusal("INTERNAL", "internal error: the server's log tells more", { cause });
}

export function encodeRefusal(refusal: Refusal): Answer {
  const { http, result } = refusal.form;
  const body = result === undefined ? { message: refusal.message } : { dtm_result: result, message: refusal.message };
  const answer = json(body, http);
  return refusal.code === "UNAUTHENTICATED" ? withHeader(answer, "WWW-Authenticate", "Bearer") : answer;
}

/** Logged once, where it ends; an ordinary refusal is the caller's business and costs no line. */
export function logRefusal(log: Log, refusal: Refusal, api: string): void {
  const { cause } = refusal.options;
  if (refusal.code === "INTERNAL") log.error({ api, err: cause }, "request failed");
  else if (refusal.code === "UNAVAILABLE" && cause !== undefined) log.warn({ api, err: cause }, "store refused a request");
}
