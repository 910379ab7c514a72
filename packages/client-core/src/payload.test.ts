import { toJsonText } from "./payload.js";

const cycle: Record<string, unknown> = { a: { b: 1 } };
cycle["a"] = { up: cycle };

test.each([
  ["undefined", undefined, "payload: expected what JSON can carry, found undefined"],
  ["a function", { a: [1, () => 1] }, "payload.a[1]: expected what JSON can carry, found function"],
  ["a symbol", { a: Symbol("x") }, "payload.a"],
  ["a bigint", { money: { cents: 1n } }, "payload.money.cents: expected what JSON can carry, found a bigint"],
  ["a cycle", cycle, "payload.a.up: expected what JSON can carry, found a cycle"],
  ["undefined in an array", [1, undefined], "payload[1]"],
  ["NaN", { n: Number.NaN }, "payload.n: expected what JSON can carry, found NaN"],
  ["infinity", [Number.POSITIVE_INFINITY], "payload[0]"],
  ["a Map", { m: new Map([[1, 2]]) }, "payload.m: expected what JSON can carry, found a Map"],
  ["a Set", new Set([1]), "found a Set"],
  ["a promise that nobody awaited", { user: Promise.resolve(1) }, "payload.user: expected what JSON can carry, found a Promise"],
  ["bytes", { data: Buffer.from("x") }, "payload.data: expected what JSON can carry, found a Buffer"],
  ["an error", { error: new RangeError("x") }, "payload.error: expected what JSON can carry, found a RangeError"],
  ["an invalid date", { at: new Date("x") }, "payload.at"],
  ["a toJSON that throws", { x: { toJSON: () => JSON.parse("{") as unknown } }, "payload.x: its toJSON() threw"],
  ["a toJSON that gives a bigint", { x: { toJSON: () => 1n } }, "payload.x"],
])("refused with its place: %s", (_, payload, message) => {
  expect(() => toJsonText(payload)).toThrow(
    expect.objectContaining({ code: "PAYLOAD_INVALID", message: expect.stringContaining(message) as unknown }),
  );
});

class Money {
  constructor(readonly cents: number) {}
}

test.each([
  ["text", "a", '"a"'],
  ["null", null, "null"],
  ["zero", 0, "0"],
  ["nested", { a: [1, { b: true }] }, '{"a":[1,{"b":true}]}'],
  ["an undefined property is left out", { a: 1, b: undefined }, '{"a":1}'],
  ["a date", { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ["an instance's own fields", new Money(5), '{"cents":5}'],
  ["the same object twice, which is no cycle", ((x) => [x, x])({ a: 1 }), '[{"a":1},{"a":1}]'],
  ["an object without prototype", Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
])("carried: %s", (_, payload, text) => {
  expect(toJsonText(payload)).toBe(text);
});

test("too deep is refused, not a stack overflow", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(() => toJsonText(deep)).toThrow(expect.objectContaining({ code: "PAYLOAD_INVALID" }));
});
