/** Addresses of branches, with or without the type of their payload. */
import { type BranchAddress, DtmError, TOPIC_PREFIX } from "@dtm/protocol";

/** A plain URL, which takes any payload, or one that knows its payload's type. */
export type Address<Payload> = string | BranchAddress<Payload>;

/** An address that brings its own encoding: gRPC messages. */
export interface EncodingAddress<Payload> extends BranchAddress<Payload> {
  encode(payload: Payload): Uint8Array;
}

/** An address when its payload's type doesn't matter any more. */
export type AddressLike = string | { readonly url: string; readonly encode?: (payload: never) => Uint8Array };

/** The payload: needed, unless its type allows to leave it out. A plain URL says nothing about it. */
export type WithPayload<Payload> = undefined extends Payload
  ? { readonly payload?: NoInfer<Payload> | undefined }
  : { readonly payload: NoInfer<Payload> };

/** The payload as an argument of its own; needed under the same rule. */
export type PayloadArgument<Payload> = undefined extends Payload
  ? [payload?: NoInfer<Payload> | undefined]
  : [payload: NoInfer<Payload>];

/** The address's text; from JavaScript anything may come, so it is looked at. */
export function urlOf(address: unknown, what: string): string {
  if (typeof address === "string" && address !== "") return address;
  if (typeof address === "object" && address !== null && "url" in address) {
    const { url } = address;
    if (typeof url === "string" && url !== "") return url;
  }
  throw new DtmError("STEP_INVALID", `${what}: expected a URL or what branch(url) made, found ${describe(address)}`);
}

/** The codec that an address brings, if it brings one. */
export function encoderOf(address: AddressLike): ((payload: unknown) => Uint8Array) | null {
  if (typeof address === "string" || address.encode === undefined) return null;
  const encode: (payload: never) => Uint8Array = address.encode;
  return (payload) => encode.call(address, payload as never);
}

const HTTP = /^https?:/i;
const HTTP_HOST = /^https?:\/\/[^/]/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const METHOD = /^([^/\s]+)\/[^/\s]+\/[^/\s]+$/;
const HIGHEST_PORT = 65_535;

/** Whether a request can be made to it at all: a port beyond the last or a broken host would be retried for ever. */
export function isHttpUrl(text: string): boolean {
  return HTTP_HOST.test(text) && URL.canParse(text);
}

/** Whether the coordinator may be able to call it: it knows schemes of service discovery that nobody here does. A topic is no branch. */
export function isBranchUrl(text: string): boolean {
  if (text.startsWith(TOPIC_PREFIX)) return false;
  return HTTP.test(text) ? isHttpUrl(text) : SCHEME.test(text);
}

/** `host:port/package.Service/Method`. */
export function isMethodAddress(text: string): boolean {
  const host = METHOD.exec(text)?.[1];
  return host !== undefined && hasUsablePort(host);
}

/** A host may come without a port, but not with one that can't be. */
export function hasUsablePort(host: string): boolean {
  const port = /:(\d*)$/.exec(host)?.[1];
  return port === undefined || (Number(port) >= 1 && Number(port) <= HIGHEST_PORT);
}

/** For errors, which end in logs and as a transaction's reason: a password in the URL isn't for them. */
export function withoutUserinfo(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, "$1");
}

/** From JavaScript anything may come where an object belongs. */
export function requireObject(value: unknown, code: "OPTION_INVALID" | "STEP_INVALID", what: string): void {
  if (typeof value === "object" && value !== null) return;
  throw new DtmError(code, `${what}: expected an object, found ${describe(value)}`);
}

/** A name that nobody knows is a misspelt option, and what it was to do would silently not be done. */
export function requireKnown(
  value: object,
  known: Readonly<Record<string, true>>,
  { code = "OPTION_INVALID", what }: { readonly code?: "OPTION_INVALID" | "STEP_INVALID"; readonly what: string },
): void {
  requireObject(value, code, what);
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(known, name))
      throw new DtmError(code, `${what}: ${name}: no such option; known are ${Object.keys(known).join(", ")}`);
  }
}

/** As {@link requireObject}, for what is to be called. */
export function requireFunction(value: unknown, code: "OPTION_INVALID" | "STEP_INVALID", what: string): void {
  if (typeof value !== "function") throw new DtmError(code, `${what}: expected a function, found ${describe(value)}`);
}

/** As {@link requireObject}, for a text that says something. */
export function requireText(value: unknown, code: "OPTION_INVALID" | "STEP_INVALID", what: string): void {
  if (typeof value === "string" && value !== "") return;
  throw new DtmError(code, `${what}: expected a text that isn't empty, found ${describe(value)}`);
}

export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return typeof value;
  const { constructor: type }: { readonly constructor?: unknown } = value;
  return typeof type !== "function" || type === Object ? "an object" : `a ${type.name}`;
}
