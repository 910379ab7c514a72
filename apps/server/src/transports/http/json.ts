/** Reading what clients sent as JSON without trusting any of it. Wrong types become a refusal that names the field (protocol.md 1.3). */
import { Refusal } from "../../engine/refusal.js";

export type JsonObject = Readonly<Record<string, unknown>>;

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch (cause) {
    throw new Refusal("UNPARSABLE", `the body is not JSON: ${cause instanceof Error ? cause.message : "unreadable"}`, { cause });
  }
}

/**
 * The object's fields under their lower-case names: Go matches keys case-insensitively, and an exact key wins here. SDKs spell
 * them right, so the usual case copies nothing. `null`, nothing and PHP's `[]` are objects without fields.
 */
export function fieldsOf(value: unknown, known: ReadonlySet<string>, name: string): JsonObject {
  if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return {};
  if (!isObject(value)) return refuse(name, "an object", value);
  let fields: Record<string, unknown> | null = null;
  for (const key of Object.keys(value)) {
    if (known.has(key)) continue;
    const lower = key.toLowerCase();
    if (!known.has(lower) || Object.hasOwn(value, lower)) continue;
    fields ??= { ...value };
    fields[lower] = value[key];
  }
  return fields ?? value;
}

export function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return refuse(name, "a text", value);
}

export function flagOf(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === null || value === undefined) return false;
  return refuse(name, "true or false", value);
}

const WHOLE = /^[+-]?\d+$/;

/** Whole numbers, also as texts. Whether the number makes sense is the commands' question (R22). */
export function wholeOf(value: unknown, name: string): number {
  if (value === null || value === undefined || value === "") return 0;
  const number = typeof value === "string" && WHOLE.test(value) ? Number(value) : value;
  if (typeof number !== "number") return refuse(name, "a whole number", value);
  // Infinity (1e999) goes on to the check that names non-finite numbers.
  if (Number.isFinite(number) && !Number.isInteger(number)) return refuse(name, "a whole number", value);
  return number;
}

export function listOf(value: unknown, name: string): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  return refuse(name, "a list", value);
}

const EMPTY_MAP: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** Text to text, without a prototype, so that no name of a client's choice reaches one (R22). PHP writes an empty map as `[]`. */
export function textMapOf(value: unknown, name: string): Readonly<Record<string, string>> {
  if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return EMPTY_MAP;
  if (!isObject(value)) return refuse(name, "a map of texts", value);
  const map: Record<string, string> = Object.create(null);
  for (const key of Object.keys(value)) map[key] = textOf(value[key], `${name}.${key.slice(0, 100)}`);
  return map;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(name: string, expected: string, found: unknown): never {
  throw new Refusal("INVALID_INPUT", `${name} must be ${expected}, found ${kindOf(found)}`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "object":
      return "an object";
    case "string":
      return `the text ${JSON.stringify(value.slice(0, 40))}`;
    default:
      return String(value).slice(0, 40);
  }
}
