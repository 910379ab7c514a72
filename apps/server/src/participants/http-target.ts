/** Reads a stored URL once, as text: what the client wrote is what goes on the wire, except what HTTP can't carry. */
import type { Place } from "./egress.js";
import type { Invocation } from "./participant.js";

export interface HttpTarget {
  readonly place: Place;
  readonly origin: string;
  /** Path and query as sent; a fragment never is. */
  readonly path: string;
  /** What stands between `path` and an appended query parameter. */
  readonly joiner: "?" | "&" | "";
  /** Of `user:password@` in the URL, as Go sends it. */
  readonly authorization: string | null;
  /** Scheme, host, port and path (R12). */
  readonly destination: string;
}

export type ParsedTarget = HttpTarget | { readonly error: string };

export function parseTarget(url: string): ParsedTarget {
  const head = /^(https?):\/\/([^/?#]*)/i.exec(url);
  if (head === null) return { error: `unsupported protocol scheme in '${url}'` };
  const [start, written, authority = ""] = head;
  const scheme = written?.toLowerCase() === "https" ? "https" : "http";
  const parsed = parseAuthority(scheme, authority);
  if (parsed === null) return { error: `bad url: '${url}'` };
  const { origin, hostname, port, username, password } = parsed;
  const path = requestPath(url.slice(start.length));
  const queryAt = path.indexOf("?");
  return {
    place: { scheme, host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (scheme === "https" ? 443 : 80) },
    origin,
    path,
    joiner: queryAt < 0 ? "?" : path.endsWith("?") ? "" : "&",
    authorization: username === "" && password === "" ? null : basic(username, password),
    destination: origin + (queryAt < 0 ? path : path.slice(0, queryAt)),
  };
}

/** `URL` skips or reinterprets these characters, so an authority that has one means different hosts to different readers. */
function parseAuthority(scheme: string, authority: string): URL | null {
  if (authority === "" || /[\s\\]/.test(authority)) return null;
  try {
    return new URL(`${scheme}://${authority}`);
  } catch {
    return null;
  }
}

function requestPath(rest: string): string {
  const fragment = rest.indexOf("#");
  const sent = fragment < 0 ? rest : rest.slice(0, fragment);
  const queryAt = sent.indexOf("?");
  const path = queryAt < 0 ? sent : sent.slice(0, queryAt);
  const query = queryAt < 0 ? "" : sent.slice(queryAt);
  // The characters after the range are those that Go's client escapes in a path, and that strict servers answer 400 to.
  return escaped(path === "" ? "/" : path, /[^\x21-\x7e]+|["<>\\^`{|}]/g) + escaped(query, /[^\x21-\x7e]+/g);
}

function escaped(text: string, pattern: RegExp): string {
  return text.replace(pattern, (part) => encodeURIComponent(wellFormed(part)));
}

/** Half a surrogate pair, which JSON can carry, makes encodeURIComponent throw; as UTF-8 it becomes the replacement character. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The server's own parameters, appended in alphabetical order (protocol.md 3.2). */
export function pathWithQuery(target: HttpTarget, call: Pick<Invocation, "branchId" | "gid" | "op" | "type">): string {
  const { branchId, gid, op, type } = call;
  return `${target.path}${target.joiner}branch_id=${queryEscape(branchId)}&gid=${queryEscape(gid)}&op=${queryEscape(op)}&trans_type=${type}`;
}

/** Byte for byte what Go's url.QueryEscape writes. */
export function queryEscape(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text;
  return encodeURIComponent(wellFormed(text))
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

/** Parsed URLs by their stored text. Bounded, because a client may put an id into every URL; the oldest go first. */
export class TargetCache {
  readonly #targets = new Map<string, ParsedTarget>();

  constructor(
    private readonly rewrite: (url: string) => string,
    private readonly bound = 4_096,
  ) {}

  get(url: string): ParsedTarget {
    const known = this.#targets.get(url);
    if (known !== undefined) return known;
    const target = parseTarget(this.rewrite(url));
    if (this.#targets.size >= this.bound) for (const oldest of this.#targets.keys()) if (this.#targets.delete(oldest)) break;
    this.#targets.set(url, target);
    return target;
  }
}
