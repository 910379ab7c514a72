/** Headers that a caller gives, for branch calls and for requests to the coordinator. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { CONNECTION_HEADERS, DtmError } from "@dtm/protocol";
import { describe, requireObject } from "./address.js";

/** What HTTP and gRPC both carry. */
const VISIBLE = /^[\t\x20-\x7e]*$/;
const PLAIN_NAME = /^[0-9a-z_.-]+$/i;

/**
 * For the client's own requests: what the coordinator would drop in a branch call is refused here, where somebody hears of it.
 *
 * @throws DtmError OPTION_INVALID, naming the header.
 */
export function checkHeaders(name: string, headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const checked = checkBranchHeaders(name, headers);
  const own = Object.keys(checked).find((key) => CONNECTION_HEADERS.has(key.toLowerCase()));
  if (own === undefined) return checked;
  throw new DtmError(
    "OPTION_INVALID",
    `${name}: expected none that belong to the connection or the message's framing, found ${describe(own)}`,
  );
}

/** @throws DtmError OPTION_INVALID, naming the header. */
export function checkBranchHeaders(name: string, headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  requireObject(headers, "OPTION_INVALID", name);
  for (const [key, value] of Object.entries(headers)) {
    try {
      validateHeaderName(key);
      if (!PLAIN_NAME.test(key)) throw new TypeError("found signs in the name that gRPC refuses");
      if (key.toLowerCase().endsWith("-bin"))
        throw new TypeError("found a name ending in -bin, whose values gRPC takes for bytes");
      if (typeof value !== "string") throw new TypeError(`found ${describe(value)}`);
      validateHeaderValue(key, value);
      if (!VISIBLE.test(value)) throw new TypeError("found characters beyond ASCII, which gRPC refuses");
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `${name}: expected names and values that both HTTP and gRPC carry, found otherwise at ${describe(key)}: ${why}`;
      throw new DtmError("OPTION_INVALID", message, { cause });
    }
  }
  return { ...headers };
}

/** What goes with a call that this client makes itself: as much as goes with the coordinator's. */
export function sendable(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CONNECTION_HEADERS.has(name.toLowerCase())));
}
