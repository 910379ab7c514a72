import { StartError } from "../service.js";
import { sourceFrom } from "./address.js";

const plain = (text: string) => {
  const { hosts, user, password, database, tls } = sourceFrom(text, "");
  return { hosts, user, password, database, tls: tls.mode };
};
const HERE = { hosts: [{ host: "h", port: 6379 }], user: "", password: "", database: 0, tls: "disable" };

test.each([
  ["redis://h", HERE],
  ["redis://h:7000", { ...HERE, hosts: [{ host: "h", port: 7000 }] }],
  ["redis://h/", HERE],
  ["redis://h:6379/3", { ...HERE, database: 3 }],
  ["rediss://h", { ...HERE, tls: "verify-full" }],
  ["redis://:secret@h", { ...HERE, password: "secret" }],
  ["redis://me:a%40b:c@h", { ...HERE, user: "me", password: "a@b:c" }],
  ["redis://me:100%@h", { ...HERE, user: "me", password: "100%" }],
  ["redis://me@h", { ...HERE, user: "me" }],
  [
    "redis://a:1,b:2",
    {
      ...HERE,
      hosts: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
      ],
    },
  ],
  ["redis://[::1]:7000", { ...HERE, hosts: [{ host: "::1", port: 7000 }] }],
])("%s", (text, expected) => {
  expect(plain(text)).toEqual(expected);
});

test.each(["h:6379", "http://h", "redis://", "redis://,", "redis://h/x", ""])("%j is refused", (text) => {
  expect(() => sourceFrom(text, "")).toThrow(StartError);
});

test("a password beside the URL counts when the URL has none", () => {
  expect(sourceFrom("redis://me@h", "hush").password).toBe("hush");
  expect(sourceFrom("redis://me:loud@h", "hush").password).toBe("loud");
});
