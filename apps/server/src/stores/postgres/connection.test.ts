import pg from "pg";
import { Connection, HasNul, literal, NoAnswer } from "./connection.js";
import { Prepared } from "./prepared.js";
import { tablesIn } from "./tables.js";

const STRANGE = ["'", "\\", '"', "\n", "é", "😀", "$1", "?", ";--", " ", "E'", "a"];

test("a text is written as the driver would write it", () => {
  const texts = STRANGE.flatMap((first) => STRANGE.flatMap((second) => STRANGE.map((third) => first + second + third)));
  for (const text of ["", ...texts, texts.join("")]) expect(literal(text)).toBe(pg.escapeLiteral(text));
});

test("a NUL is sent to nobody, and leaves no name that the server doesn't know", async () => {
  const client = new pg.Client();
  const query = jest.spyOn(client, "query");
  const prepared = new Prepared();
  const db = new Connection(client, tablesIn("public"), prepared);
  await expect(db.burst([{ sql: "SELECT $1", values: ["no\0money"] }])).rejects.toThrow(HasNul);
  expect(query).not.toHaveBeenCalled();
  expect(prepared.missing([{ sql: "SELECT $1", values: [] }])).toHaveLength(1);
});

test("what is no text is written as it is", () => {
  expect([null, 7, -0.5, true, false].map(literal)).toEqual(["NULL", "7", "-0.5", "true", "false"]);
});

test("a connection that gave no answer is used no more", async () => {
  jest.useFakeTimers();
  try {
    const client = new pg.Client();
    jest.spyOn(client, "query").mockReturnValue(undefined);
    const db = new Connection(client, tablesIn("public"));
    const ended = jest.fn();
    void db.rows("SELECT 1", []).catch(ended);
    await jest.advanceTimersByTimeAsync(15_000);
    expect(ended).toHaveBeenCalledWith(new NoAnswer("the database gave no answer for 15 s"));
    expect(db.broken).toBe(true);
  } finally {
    jest.useRealTimers();
  }
});
