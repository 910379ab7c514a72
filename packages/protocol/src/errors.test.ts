import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DtmError, ERROR_CODES, Failure, Ongoing } from "./errors.js";

describe("errors know their kind", () => {
  test("each is an instance of its own class and of the base, and of no sibling", () => {
    const failure = new Failure("no money");
    expect(failure instanceof Failure).toBe(true);
    expect(failure instanceof DtmError).toBe(true);
    expect(failure instanceof Error).toBe(true);
    expect(failure instanceof Ongoing).toBe(false);
    expect(failure).toMatchObject({ name: "Failure", code: "FAILURE", message: "no money" });
    expect(new DtmError("NOT_IN_BRANCH", "x") instanceof Failure).toBe(false);
    expect(new Error("x") instanceof DtmError).toBe(false);
  });

  test("also when another copy of the package made them", () => {
    jest.resetModules();
    const other = require("./errors.js") as typeof import("./errors.js");
    expect(other.Failure).not.toBe(Failure);
    expect(new other.Failure() instanceof Failure).toBe(true);
    expect(new other.Ongoing() instanceof DtmError).toBe(true);
    expect(new other.Ongoing() instanceof Failure).toBe(false);
  });

  test("an application's own class isn't taken for every failure", () => {
    class OutOfMoney extends Failure {}
    expect(new OutOfMoney() instanceof OutOfMoney).toBe(true);
    expect(new OutOfMoney() instanceof Failure).toBe(true);
    expect(new Failure() instanceof OutOfMoney).toBe(false);
  });

  test("the cause and the wait are kept", () => {
    const cause = new Error("first");
    expect(new Failure("x", { cause }).cause).toBe(cause);
    expect(new Ongoing("x", { retryAfterSeconds: 30 }).retryAfterSeconds).toBe(30);
    expect(new Ongoing("x").retryAfterSeconds).toBeUndefined();
  });
});

test("docs/errors.md has every code with its meaning, and no other", () => {
  const page = readFileSync(join(__dirname, "../../../docs/errors.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.+) \|$/gm)].map(([, code, meaning]) => [code, meaning]);
  expect(Object.fromEntries(rows)).toEqual(ERROR_CODES);
});
