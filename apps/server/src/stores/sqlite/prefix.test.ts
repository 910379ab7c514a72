import { prefixRange } from "./prefix.js";

test.each([
  ["ab", "ac"],
  ["a\ud7ff", "a\ue000"],
  ["a%", "a&"],
  ["é", "ê"],
  ["x😀", "x😁"],
  ["a\u{10ffff}", "b"],
  ["\u{10ffff}", null],
  ["", null],
])("texts that begin with %j lie below %j", (prefix, below) => {
  expect(prefixRange(prefix)).toEqual({ from: prefix, below });
});
