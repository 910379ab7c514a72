/** Columns of many rows as PostgreSQL array texts, one parameter each: the statement stays the same however many rows there are. */

export function texts(values: readonly string[]): string {
  return `{${values.map(quoted).join(",")}}`;
}

export function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}

export function booleans(values: readonly boolean[]): string {
  return `{${values.join(",")}}`;
}

export function textsOrNull(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : quoted(value))).join(",")}}`;
}

export function byteArrays(values: readonly Uint8Array[]): string {
  return `{${values.map(hex).join(",")}}`;
}

function quoted(text: string): string {
  return `"${/[\\"]/.test(text) ? text.replaceAll(/[\\"]/g, "\\$&") : text}"`;
}

function hex(bytes: Uint8Array): string {
  return `"\\\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}"`;
}
