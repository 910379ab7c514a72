import pg from "pg";
import { literal } from "./connection.js";

const STRANGE = ["'", "\\", '"', "\n", "é", "😀", "$1", "?", ";--", " ", "E'", "a"];

test("a text is written as the driver would write it", () => {
  const texts = STRANGE.flatMap((first) => STRANGE.flatMap((second) => STRANGE.map((third) => first + second + third)));
  for (const text of ["", ...texts, texts.join("")]) expect(literal(text)).toBe(pg.escapeLiteral(text));
});

test("what is no text is written as it is", () => {
  expect([null, 7, -0.5, true, false].map(literal)).toEqual(["NULL", "7", "-0.5", "true", "false"]);
});
