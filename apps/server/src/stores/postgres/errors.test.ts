import pg from "pg";
import { HasNul } from "./connection.js";
import { troubleOf } from "./errors.js";

function answered(code: string, severity = "ERROR"): pg.DatabaseError {
  const error = new pg.DatabaseError("no", 2, "error");
  return Object.assign(error, { code, severity });
}

test.each<[string, unknown, string]>([
  ["a duplicate", answered("23505"), "data"],
  ["a text too long", answered("22001"), "data"],
  ["a text that was never sent", new HasNul("no"), "data"],
  ["a deadlock", answered("40P01"), "again"],
  ["an end of the server", answered("57P01", "FATAL"), "lost"],
  ["a standby", answered("25006"), "lost"],
  ["a full disk", answered("53100"), "down"],
  ["a pool without a free connection", new Error("timeout exceeded when trying to connect"), "lost"],
  ["a socket", Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }), "lost"],
  ["a text of the driver that nobody foresaw", new Error("Received unexpected commandComplete message from backend."), "lost"],
  ["what is no error at all", "?", "lost"],
])("%s", (_, cause, trouble) => {
  expect(troubleOf(cause, false)).toBe(trouble);
});

test("whatever a broken connection says, it is lost", () => {
  expect(troubleOf(answered("23505"), true)).toBe("lost");
});
