import { egressFrom } from "./egress-rules.js";

type Lists = { allow?: readonly string[]; deny?: readonly string[] };

function judge({ allow = [], deny = [] }: Lists, host: string, address?: string): "open" | "closed" {
  const egress = egressFrom({ allow, deny });
  const refused =
    egress.refuse({ scheme: "http", host, port: 80 }) ?? (address === undefined ? null : egress.refuseAddress(address, host));
  return refused === null ? "open" : "closed";
}

describe("branch calls (design.md 7)", () => {
  test.each<[string, Lists, string, string | undefined, "open" | "closed"]>([
    ["go anywhere by default", {}, "shop.example", "93.184.216.34", "open"],
    ["go to services on this machine, where dtm's users have them", {}, "127.0.0.1", undefined, "open"],
    ["go to private networks", {}, "10.1.2.3", undefined, "open"],
    ["never reach a metadata service", {}, "169.254.169.254", undefined, "closed"],
    ["nor by a name for it", {}, "metadata.internal", "169.254.169.254", "closed"],
    ["nor by IPv6's spelling of it", {}, "::ffff:169.254.169.254", undefined, "closed"],
    ["nor by its hexadecimal spelling", {}, "::ffff:a9fe:a9fe", undefined, "closed"],
    ["nor another link-local address", {}, "fe80::1", undefined, "closed"],
    ["reach what is allowed by address", { allow: ["169.254.169.254"] }, "169.254.169.254", undefined, "open"],
    ["reach what is allowed by name", { allow: ["metadata.internal"] }, "metadata.internal", "169.254.169.254", "open"],
    ["stay within the names allowed", { allow: ["shop.example"] }, "bank.example", undefined, "closed"],
    ["whatever case or dot a name is written with", { allow: ["Shop.example"] }, "shop.EXAMPLE.", "10.0.0.1", "open"],
    ["go to a domain's hosts", { allow: ["*.example"] }, "a.b.example", "10.0.0.1", "open"],
    ["not to a name that only ends alike", { allow: ["*.example"] }, "notexample", undefined, "closed"],
    ["stay within the ranges allowed", { allow: ["10.0.0.0/8"] }, "shop.example", "10.9.9.9", "open"],
    ["judged by what the name resolves to", { allow: ["10.0.0.0/8"] }, "shop.example", "11.0.0.1", "closed"],
    ["also when written as an address", { allow: ["10.0.0.0/8"] }, "11.0.0.1", undefined, "closed"],
    ["not to a denied name", { deny: ["bank.example"] }, "bank.example", undefined, "closed"],
    ["not to a denied range", { deny: ["10.0.0.0/8"] }, "shop.example", "10.0.0.1", "closed"],
    ["deny wins over allow", { allow: ["shop.example"], deny: ["10.0.0.0/8"] }, "shop.example", "10.0.0.1", "closed"],
  ])("%s", (_, lists, host, address, verdict) => {
    expect(judge(lists, host, address)).toBe(verdict);
  });
});
