/** From a refusal to a gRPC status, by the one table (protocol.md 2.2). */
import type { Refusal } from "../../engine/refusal.js";

export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
}

/** A waiting caller gets the code of the branch that failed; everybody else the table's. */
export function toGrpcStatus(refusal: Refusal): GrpcStatus {
  return { code: refusal.options.grpcCode ?? refusal.form.grpc, details: fitTrailer(refusal.message) };
}

/** Java's client refuses an answer whose headers are over 8 KiB in all; a branch's own words can be 64 KiB. */
const LONGEST_ENCODED = 6 * 1024;
/** A UTF-16 unit is at most this long as percent-encoded UTF-8. */
const LONGEST_UNIT = 9;
/** Old SDKs look for the word at the end. */
const WORD = " FAILURE";
const CUT = "…";

/**
 * The text travels percent-encoded in a trailer. Half of a surrogate pair, which cutting a text can leave, would make the
 * encoder throw out of grpc-js, so it becomes U+FFFD first.
 */
export function fitTrailer(message: string): string {
  const text = Buffer.from(message).toString();
  if (text.length * LONGEST_UNIT <= LONGEST_ENCODED || encodeURI(text).length <= LONGEST_ENCODED) return text;
  const end = CUT + (text.endsWith(WORD) ? WORD : "");
  let room = LONGEST_ENCODED - encodeURI(end).length;
  let kept = "";
  for (const character of text) {
    room -= encodeURI(character).length;
    if (room < 0) break;
    kept += character;
  }
  return kept + end;
}
