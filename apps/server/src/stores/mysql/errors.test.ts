import { troubleOf } from "./errors.js";

function answered(errno: number, more: object = {}): Error {
  return Object.assign(new Error("no"), { errno, ...more });
}

test.each<[string, unknown, string]>([
  ["a duplicate", answered(1062), "data"],
  ["a text too long", answered(1406), "data"],
  ["a deadlock", answered(1213), "again"],
  ["an end of the server", answered(1053), "lost"],
  ["what ends the connection", answered(1062, { fatal: true }), "lost"],
  ["a full disk", answered(1021), "down"],
  ["a right that is missing", answered(1142), "denied"],
  ["a pool without a free connection", new Error("no connection became free for 5 s"), "lost"],
  ["a socket", answered(-104, { code: "ECONNRESET" }), "lost"],
  ["a text of the driver that nobody foresaw", new Error("Unexpected packet"), "lost"],
  ["what is no error at all", "?", "lost"],
])("%s", (_, cause, trouble) => {
  expect(troubleOf(cause, false)).toBe(trouble);
});

test("whatever a broken connection says, it is lost", () => {
  expect(troubleOf(answered(1062), true)).toBe("lost");
});
