/** Who may call what (R24), one rule for every transport. */
import { createHash, timingSafeEqual } from "node:crypto";
import { Refusal } from "../engine/refusal.js";

export interface AccessSettings {
  /** "" when none is set. */
  readonly token: string;
  readonly allowInsecure: "none" | "clients" | "all";
}

/** `client`: what SDKs need to run transactions. `operator`: everything else. */
export type Need = "client" | "operator";

export class Access {
  readonly #expected: Buffer | null;
  readonly #open: AccessSettings["allowInsecure"];

  constructor({ token, allowInsecure }: AccessSettings) {
    this.#expected = token === "" ? null : digest(token);
    // Without a token and without a word about it, the listener is on loopback: the configuration refuses anything else.
    this.#open = token === "" && allowInsecure === "none" ? "all" : allowInsecure;
  }

  /** Throws UNAUTHENTICATED; `authorization` is the header or metadata of that name. */
  check(need: Need, authorization: string | undefined): void {
    if (this.#open === "all" || (this.#open === "clients" && need === "client")) return;
    if (this.#expected === null)
      throw new Refusal("UNAUTHENTICATED", "this needs a token, and the server has none: set AuthToken");
    const presented = /^bearer +(.+)$/i.exec(authorization ?? "")?.[1];
    if (presented === undefined) throw new Refusal("UNAUTHENTICATED", "this needs a token: authorization: Bearer …");
    if (!timingSafeEqual(digest(presented), this.#expected)) throw new Refusal("UNAUTHENTICATED", "the token is wrong");
  }
}

/** Of equal length, so that comparing takes the same time for every guess. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
