import { CONNECTION_HEADERS } from "@dtm/protocol";

/** The branch_headers that may be sent, names in lower case; the last spelling of a name wins. */
export function sendable(headers: Readonly<Record<string, string>>): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!CONNECTION_HEADERS.has(lower)) kept.set(lower, value);
  }
  return kept;
}

/** Firewalls refuse calls of nobody, and such a 403 would be asked again for ever. */
export const USER_AGENT = "dtm";
const JSON_HEADERS = ["Content-Type", "application/json", "Accept", "application/json", "User-Agent", USER_AGENT];

/** Names and values in turn, as undici takes them. Content-Type goes with GET too (protocol.md 3.2), and branch_headers override. */
export function httpHeaders(branchHeaders: Readonly<Record<string, string>>, authorization: string | null): string[] {
  if (authorization === null && Object.keys(branchHeaders).length === 0) return JSON_HEADERS;
  const headers = new Map([
    ["content-type", "application/json"],
    ["accept", "application/json"],
    ["user-agent", USER_AGENT],
  ]);
  if (authorization !== null) headers.set("authorization", authorization);
  for (const [name, value] of sendable(branchHeaders)) headers.set(name, asBytes(value));
  return [...headers].flatMap(([name, value]) => [canonical(name), value]);
}

/** As Go writes a header's name, for services that look for it letter by letter. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** Go sends a header's UTF-8 bytes as they are; undici writes one byte per character. */
function asBytes(value: string): string {
  return /^[\x20-\x7e\t]*$/.test(value) ? value : Buffer.from(value).toString("latin1");
}

const FOR_ONE_HOST = new Set(["authorization", "cookie", "host"]);

/** What a redirect to another origin must not take along. */
export function withoutCredentials(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !FOR_ONE_HOST.has(headers[index - (index % 2)]?.toLowerCase() ?? ""));
}
