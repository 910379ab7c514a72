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
  check(payload, "payload", new Set());
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    throw new DtmError("PAYLOAD_INVALID", `payload: expected what JSON can carry, found ${describe(payload)}`, { cause });
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
  if (isLossy(value)) throw invalid(place, describe(value));
  above.add(value);
  if (hasToJson(value)) checkWritten(value, place, above);
  else if (Array.isArray(value))
    for (let index = 0; index < value.length; index++) check(value[index], `${place}[${index}]`, above);
  else {
    for (const [key, part] of Object.entries(value)) if (part !== undefined) check(part, `${place}.${key}`, above);
  }
  above.delete(value);
}

/** JSON writes each of these as `{}` or as a map of indices. */
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
    (value instanceof Date && Number.isNaN(value.getTime()))
  );
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

function invalid(place: string, found: string): DtmError {
  return new DtmError("PAYLOAD_INVALID", `${place}: expected what JSON can carry, found ${found}`);
}
