import { Readable } from "node:stream";
import { requireDone, requireWork } from "./done.js";

const invalid = (text: string) => expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(text) });

test.each([
  [undefined, "found undefined"],
  [null, "found null"],
  ["work", "found string"],
  [
    function* () {
      yield 1;
    },
    "generator",
  ],
  [
    async function* () {
      yield 1;
    },
    "generator",
  ],
])("no work: %p", (work, text) => {
  expect(() => requireWork(work)).toThrow(invalid(text));
});

test("functions of all other kinds are work", () => {
  for (const work of [() => 1, async () => 1, jest.fn(), class {}.prototype.constructor]) requireWork(work);
});

test.each<[string, unknown, string]>([
  ["a query of Kysely", { toOperationNode: () => ({}) }, "Kysely"],
  ["a query builder of TypeORM", { getQueryAndParameters: () => ["", []] }, "TypeORM"],
  [
    "a generator",
    (function* () {
      yield 1;
    })(),
    "iterator",
  ],
  [
    "a generator that answers later",
    (async function* () {
      yield 1;
    })(),
    "iterator",
  ],
  ["a stream", Readable.from([1]), "stream"],
])("%s is not done", (_, value, text) => {
  expect(() => requireDone(value)).toThrow(invalid(text));
});

test("values, lists and maps are", () => {
  for (const value of [undefined, null, 0, "text", {}, [1], new Map(), new Set(), new Date(), Buffer.from("b"), () => 1]) {
    expect(requireDone(value)).toBe(value);
  }
});
