import { Refusal } from "../engine/refusal.js";
import { Access, type AccessSettings, type Need } from "./access.js";

function allowed(settings: Partial<AccessSettings>, need: Need, authorization?: string): boolean {
  try {
    new Access({ token: "", allowInsecure: "none", ...settings }).check(need, authorization);
    return true;
  } catch (cause) {
    if (cause instanceof Refusal && cause.code === "UNAUTHENTICATED") return false;
    throw cause;
  }
}

const right = "Bearer s3cret";

test.each<[string, Partial<AccessSettings>, Need, string | undefined, boolean]>([
  ["no token on loopback opens everything", {}, "operator", undefined, true],
  ["a token closes what SDKs need", { token: "s3cret" }, "client", undefined, false],
  ["and everything else", { token: "s3cret" }, "operator", undefined, false],
  ["the right token opens", { token: "s3cret" }, "operator", right, true],
  ["whatever the case of its scheme", { token: "s3cret" }, "operator", "bearer s3cret", true],
  ["a wrong token doesn't", { token: "s3cret" }, "client", "Bearer s3cre", false],
  ["nor the right one in another scheme", { token: "s3cret" }, "client", "Basic s3cret", false],
  ["nor an empty one", { token: "s3cret" }, "client", "Bearer ", false],
  ["clients opens what SDKs need", { token: "s3cret", allowInsecure: "clients" }, "client", undefined, true],
  ["and nothing else", { token: "s3cret", allowInsecure: "clients" }, "operator", undefined, false],
  ["which the token still opens", { token: "s3cret", allowInsecure: "clients" }, "operator", right, true],
  ["without a token clients leaves the rest shut", { allowInsecure: "clients" }, "operator", right, false],
  ["all opens everything", { token: "s3cret", allowInsecure: "all" }, "operator", undefined, true],
])("%s", (_name, settings, need, authorization, expected) => {
  expect(allowed(settings, need, authorization)).toBe(expected);
});
