/**
 * Who may ask (R23, R24). SDKs of other languages can't send a token, so what they need can be opened without one; browsers send
 * requests on behalf of any page, so without credentials they are told apart by their headers and kept out.
 */
import { timingSafeEqual } from "node:crypto";
import { Refusal } from "../../engine/refusal.js";
import { isLoopback } from "../../loopback.js";

export interface AccessSettings {
  /** The address listened on. */
  readonly host: string;
  /** "" = none. */
  readonly authToken: string;
  readonly allowInsecure: "none" | "clients" | "all";
  /** Names a `Host` header may carry on a loopback listener, beside localhost and the listener's own addresses. */
  readonly allowedHosts: readonly string[];
}

/**
 * `probe`: always answered, says nothing. `page`: static files of the dashboard, which asks for the token itself. `client`: what
 * SDKs need (R24). `operator`: everything else.
 */
export type Exposure = "probe" | "page" | "client" | "operator";

export interface RequestFacts {
  readonly exposure: Exposure;
  readonly authorization: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`. */
  readonly fetchSite: string | undefined;
}

/** The settings, worked out once. */
export interface AccessRules {
  readonly token: Buffer | null;
  readonly openTo: ReadonlySet<Exposure>;
  /** Lower case; null where any name is fine. */
  readonly hosts: ReadonlySet<string> | null;
}

const EVERYBODY: ReadonlySet<Exposure> = new Set(["probe", "page", "client", "operator"]);
const CLIENTS: ReadonlySet<Exposure> = new Set(["probe", "page", "client"]);
const NOBODY: ReadonlySet<Exposure> = new Set(["probe", "page"]);

export function accessRules(settings: AccessSettings): AccessRules {
  const loopback = isLoopback(settings.host);
  const hosts = new Set(["localhost", "127.0.0.1", "[::1]", bracketed(settings.host.toLowerCase())]);
  for (const name of settings.allowedHosts) hosts.add(name.toLowerCase());
  return {
    token: settings.authToken === "" ? null : Buffer.from(settings.authToken),
    openTo: openTo(settings, loopback),
    hosts: loopback ? hosts : null,
  };
}

/** Null = come in. */
export function admit(facts: RequestFacts, rules: AccessRules): Refusal | null {
  if (facts.exposure === "probe") return null;
  if (rules.token !== null && facts.authorization !== undefined) {
    return sameToken(bearer(facts.authorization), rules.token) ? null : unauthenticated("the token is wrong");
  }
  if (!rules.openTo.has(facts.exposure)) {
    return unauthenticated(
      rules.token === null
        ? "this needs a token, and the server has none: set AUTH_TOKEN there"
        : "a token is missing: send `Authorization: Bearer …`",
    );
  }
  if (rules.hosts !== null && facts.host !== undefined && !rules.hosts.has(hostName(facts.host))) {
    return new Refusal("FORBIDDEN", `the Host header names ${JSON.stringify(facts.host.slice(0, 100))}: add it to AllowedHosts`);
  }
  if (facts.exposure !== "page" && isCrossSite(facts)) {
    return new Refusal("FORBIDDEN", "a browser sent this from another site");
  }
  return null;
}

/** Takes the same time wherever the texts differ. */
export function sameToken(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given);
  const same = timingSafeEqual(bytes.length === expected.length ? bytes : expected, expected);
  return same && bytes.length === expected.length;
}

function openTo({ authToken, allowInsecure }: AccessSettings, loopback: boolean): ReadonlySet<Exposure> {
  if (allowInsecure === "all" || (authToken === "" && loopback)) return EVERYBODY;
  return allowInsecure === "clients" ? CLIENTS : NOBODY;
}

/** A page of our own has our own origin; one typed or bookmarked has none. No SDK sends either header. */
function isCrossSite({ origin, fetchSite, host }: RequestFacts): boolean {
  if (fetchSite !== undefined && fetchSite !== "same-origin" && fetchSite !== "none") return true;
  if (origin === undefined) return false;
  const scheme = origin.indexOf("://");
  return scheme < 0 || origin.slice(scheme + 3).toLowerCase() !== host?.toLowerCase();
}

function bearer(authorization: string): string {
  return /^bearer +/i.test(authorization) ? authorization.replace(/^bearer +/i, "").trimEnd() : "";
}

function unauthenticated(message: string): Refusal {
  return new Refusal("UNAUTHENTICATED", message);
}

/** Without the port; an IPv6 address keeps its brackets. */
function hostName(host: string): string {
  const end = host.startsWith("[") ? host.indexOf("]") + 1 : host.indexOf(":");
  return (end > 0 ? host.slice(0, end) : host).toLowerCase();
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
