/**
 * Payloads as JSON text. What JSON would change without a word is refused with its place: a payload that arrives as something else
 * is found out in production, in another team's service. A property that is undefined is left out, as everywhere in JSON: the
 * reader sees the same.
 */
import { DtmError } from "@dtm/protocol";
import { describe } from "./address.js";

const DEEPEST = 500;

/** @throws DtmError PAYLOAD_INVALID, with the place. */
export function toJsonText(payload: unknown): string {
  let text: string | undefined;
  try {
    check(payload, "payload", new Set());
    text = JSON.stringify(payload);
  } catch (cause) {
    if (cause instanceof DtmError && cause.code === "PAYLOAD_INVALID") throw cause;
    throw unreadable("payload", cause);
  }
  if (text === undefined) throw invalid("payload", describe(payload));
  return text;
}

function check(value: unknown, place: string, above: Set<object>): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw invalid(place, String(value));
      return;
    case "undefined":
    case "bigint":
    case "function":
    case "symbol":
      throw invalid(place, typeof value === "bigint" ? "a bigint (send it as text)" : typeof value);
    default:
      if (typeof value === "object" && value !== null) checkObject(value, place, above);
  }
}

function checkObject(value: object, place: string, above: Set<object>): void {
  if (above.has(value)) throw invalid(place, "a cycle");
  if (above.size >= DEEPEST) throw invalid(place, `more than ${DEEPEST} levels`);
  if (isLossy(value)) throw invalid(place, named(value));
  above.add(value);
  if (hasToJson(value)) checkWritten(value, place, above);
  else if (Array.isArray(value))
    for (let index = 0; index < value.length; index++) check(value[index], `${place}[${index}]`, above);
  else {
    for (const [key, part] of partsOf(value, place)) if (part !== undefined) check(part, `${place}.${key}`, above);
  }
  above.delete(value);
}

/** JSON writes each of these as `{}`, as a map of indices, or as null. */
function isLossy(value: object): boolean {
  return (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof Promise ||
    value instanceof RegExp ||
    value instanceof Error ||
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value) ||
    (value instanceof Date && Number.isNaN(value.getTime())) ||
    (value instanceof Number && !Number.isFinite(value.valueOf())) ||
    hidesAll(value)
  );
}

/** A `URLSearchParams`, `Headers`, `Blob`, iterator and the like: the language names its type, and nothing of it is a property. */
function hidesAll(value: object): boolean {
  return Symbol.toStringTag in value && !hasToJson(value) && Object.keys(value).length === 0;
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function checkWritten(value: { toJSON(key: string): unknown }, place: string, above: Set<object>): void {
  let written: unknown;
  try {
    written = value.toJSON("");
  } catch (cause) {
    throw new DtmError("PAYLOAD_INVALID", `${place}: its toJSON() threw`, { cause });
  }
  if (written !== value) check(written, place, above);
}

/** Getters are the application's code. */
function partsOf(value: object, place: string): [key: string, part: unknown][] {
  try {
    return Object.entries(value);
  } catch (cause) {
    throw unreadable(place, cause);
  }
}

/** An iterator has no constructor that tells which it is. */
function named(value: object): string {
  return "next" in value ? Object.prototype.toString.call(value) : describe(value);
}

function invalid(place: string, found: string): DtmError {
  return new DtmError("PAYLOAD_INVALID", `${place}: expected what JSON can carry, found ${found}`);
}

function unreadable(place: string, cause: unknown): DtmError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DtmError("PAYLOAD_INVALID", `${place}: expected what JSON can carry, found what can't be read: ${why}`, { cause });
}
