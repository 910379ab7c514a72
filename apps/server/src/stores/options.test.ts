import { NO_OPTIONS, type TransactionOptions } from "../engine/transaction.js";
import { optionsFromJson, optionsToJson } from "./options.js";

const ALL: TransactionOptions = {
  waitResult: true,
  timeoutToFail: 7,
  requestTimeout: 2,
  retryInterval: 0.5,
  retryLimit: 4,
  concurrent: true,
  branchHeaders: { "x-a": "1", ["__proto__"]: "own" },
};

test("options survive their column", () => {
  expect(optionsFromJson(optionsToJson(ALL))).toEqual(ALL);
  expect(optionsFromJson(optionsToJson(NO_OPTIONS))).toEqual(NO_OPTIONS);
});

test("what dtm writes is understood, absent meaning zero", () => {
  expect(optionsToJson({ ...NO_OPTIONS, waitResult: true })).toBe('{"wait_result":true,"concurrent":false}');
  expect(optionsFromJson('{"wait_result":true,"concurrent":false}')).toEqual({ ...NO_OPTIONS, waitResult: true });
});

test.each(["", "null", "[]", "{", '{"timeout_to_fail":"3","branch_headers":["a"]}'])("%j counts as no options", (text) => {
  expect(optionsFromJson(text)).toEqual(NO_OPTIONS);
});

test("a header named __proto__ stays a header", () => {
  const { branchHeaders } = optionsFromJson(optionsToJson(ALL));
  expect(Object.getPrototypeOf(branchHeaders)).toBeNull();
  expect(Object.keys(branchHeaders)).toContain("__proto__");
});
