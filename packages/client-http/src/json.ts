/** Reading answers: they come from outside, so nothing is taken for granted. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textAt(object: JsonObject, key: string): string {
  const value = object[key];
  return typeof value === "string" ? value : "";
}

export function dateAt(object: JsonObject, key: string): Date | null {
  const at = new Date(textAt(object, key));
  return Number.isNaN(at.getTime()) ? null : at;
}

export function objectsAt(object: JsonObject, key: string): readonly JsonObject[] {
  const value = object[key];
  return Array.isArray(value) ? value.filter(isObject) : [];
}
