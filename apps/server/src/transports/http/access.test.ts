import { type AccessSettings, accessRules, admit, type RequestFacts, sameToken } from "./access.js";

const TOKEN = "0123456789abcdef";
const LOOPBACK: AccessSettings = { host: "127.0.0.1", authToken: "", allowInsecure: "none", allowedHosts: [] };
const PUBLIC: AccessSettings = { ...LOOPBACK, host: "0.0.0.0" };
const FACTS: RequestFacts = {
  exposure: "operator",
  authorization: undefined,
  host: "localhost:36789",
  origin: undefined,
  fetchSite: undefined,
};

function verdict(settings: Partial<AccessSettings>, facts: Partial<RequestFacts>): string {
  return admit({ ...FACTS, ...facts }, accessRules({ ...LOOPBACK, ...settings }))?.code ?? "in";
}

describe("without credentials (R24)", () => {
  const asked = ["probe", "page", "client", "operator"] as const;
  test.each([
    ["loopback", LOOPBACK, ["in", "in", "in", "in"]],
    ["loopback with a token", { ...LOOPBACK, authToken: TOKEN }, ["in", "in", "UNAUTHENTICATED", "UNAUTHENTICATED"]],
    ["public with a token", { ...PUBLIC, authToken: TOKEN }, ["in", "in", "UNAUTHENTICATED", "UNAUTHENTICATED"]],
    ["public, open to clients", { ...PUBLIC, allowInsecure: "clients" as const }, ["in", "in", "in", "UNAUTHENTICATED"]],
    ["public, open to all", { ...PUBLIC, allowInsecure: "all" as const }, ["in", "in", "in", "in"]],
    ["public by mistake", PUBLIC, ["in", "in", "UNAUTHENTICATED", "UNAUTHENTICATED"]],
  ])("%s", (_name, settings, expected) => {
    expect(asked.map((exposure) => verdict(settings, { exposure }))).toEqual(expected);
  });
});

test.each([
  [`Bearer ${TOKEN}`, "in"],
  [`bearer  ${TOKEN} `, "in"],
  [TOKEN, "UNAUTHENTICATED"],
  [`Basic ${TOKEN}`, "UNAUTHENTICATED"],
  [`Bearer ${TOKEN}x`, "UNAUTHENTICATED"],
  [`Bearer ${TOKEN.slice(1)}`, "UNAUTHENTICATED"],
  ["Bearer ", "UNAUTHENTICATED"],
  ["", "UNAUTHENTICATED"],
])("authorization %p: %s", (authorization, expected) => {
  expect(verdict({ authToken: TOKEN }, { authorization })).toBe(expected);
});

test("a wrong token is refused even where none is needed", () => {
  const open = { ...PUBLIC, allowInsecure: "all" as const, authToken: TOKEN };
  expect(verdict(open, { authorization: "Bearer wrong" })).toBe("UNAUTHENTICATED");
  expect(verdict(open, {})).toBe("in");
});

test("tokens are compared as bytes", () => {
  expect([sameToken("grün", Buffer.from("grün")), sameToken("grun", Buffer.from("grün"))]).toEqual([true, false]);
  expect(sameToken("", Buffer.from("x"))).toBe(false);
});

describe("browsers (R23)", () => {
  test.each([
    [{ origin: "http://localhost:36789" }, "in"],
    [{ origin: "http://LOCALHOST:36789", fetchSite: "same-origin" }, "in"],
    [{ fetchSite: "none" }, "in"],
    [{ origin: "http://localhost:3000" }, "FORBIDDEN"],
    [{ origin: "http://evil.example" }, "FORBIDDEN"],
    [{ origin: "null" }, "FORBIDDEN"],
    [{ origin: "" }, "FORBIDDEN"],
    [{ fetchSite: "cross-site" }, "FORBIDDEN"],
    [{ fetchSite: "same-site" }, "FORBIDDEN"],
    [{ origin: "http://localhost:36789", fetchSite: "cross-site" }, "FORBIDDEN"],
  ])("%p: %s", (facts, expected) => {
    expect(verdict({}, facts)).toBe(expected);
    expect(verdict({ ...PUBLIC, allowInsecure: "all" }, facts)).toBe(expected);
  });

  test("whoever has the token is no browser of somebody else", () => {
    const facts = { authorization: `Bearer ${TOKEN}`, origin: "http://tools.example", host: "name.example" };
    expect(verdict({ authToken: TOKEN }, facts)).toBe("in");
  });

  test("a link to the dashboard's pages works, data doesn't follow it", () => {
    const link = { fetchSite: "cross-site" };
    expect([verdict({}, { ...link, exposure: "page" }), verdict({}, link)]).toEqual(["in", "FORBIDDEN"]);
  });

  test.each([
    ["localhost", "in"],
    ["127.0.0.1:1", "in"],
    ["[::1]:36789", "in"],
    ["tool.local:36789", "in"],
    ["evil.example", "FORBIDDEN"],
    ["localhost.evil.example", "FORBIDDEN"],
    ["127.0.0.1.evil.example", "FORBIDDEN"],
    ["", "FORBIDDEN"],
    [undefined, "in"],
  ])("Host %p on loopback: %s", (host, expected) => {
    expect(verdict({ allowedHosts: ["TOOL.local"] }, { host })).toBe(expected);
  });

  test("on other addresses service names stay usable", () => {
    expect(verdict({ ...PUBLIC, allowInsecure: "all" }, { host: "dtm.default.svc:36789" })).toBe("in");
  });

  test.each(["::1", "[::1]", "localhost", "127.0.0.9"])("%s is loopback", (host) => {
    expect([verdict({ host }, {}), verdict({ host }, { host: "evil.example" })]).toEqual(["in", "FORBIDDEN"]);
    const own = host.includes(":") ? "[::1]:36789" : `${host}:36789`;
    expect(verdict({ host }, { host: own })).toBe("in");
  });
});
