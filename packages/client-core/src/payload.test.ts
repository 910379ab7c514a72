import { toJsonText } from "./payload.js";

const cycle: Record<string, unknown> = { a: { b: 1 } };
cycle["a"] = { up: cycle };

function* numbers(): Generator<number> {
  yield 1;
}
const boom = (): never => {
  throw new Error("boom");
};
const broken = Object.defineProperty({}, "c", { enumerable: true, get: boom });
const unlisted = new Proxy({}, { ownKeys: boom });
const closed = new Proxy({}, { has: boom });

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
  ["a boxed NaN", { n: Object(Number.NaN) as unknown }, "payload.n: expected what JSON can carry, found a Number"],
  ["search parameters", { q: new URLSearchParams("a=b") }, "payload.q: expected what JSON can carry, found a URLSearchParams"],
  ["headers", { h: new Headers({ a: "b" }) }, "payload.h: expected what JSON can carry, found a Headers"],
  ["a blob", [new Blob(["x"])], "payload[0]: expected what JSON can carry, found a Blob"],
  ["shared memory", { m: new SharedArrayBuffer(1) }, "payload.m: expected what JSON can carry, found a SharedArrayBuffer"],
  ["an iterator", { i: [1].values() }, "payload.i: expected what JSON can carry, found [object Array Iterator]"],
  ["a map's entries", new Map().entries(), "payload: expected what JSON can carry, found [object Map Iterator]"],
  ["a generator", { g: numbers() }, "payload.g: expected what JSON can carry, found [object Generator]"],
  ["a weak reference", { w: new WeakRef({}) }, "payload.w: expected what JSON can carry, found a WeakRef"],
  ["a getter that throws", { a: { b: broken } }, "payload.a.b: expected what JSON can carry, found what can't be read: boom"],
  ["an object that can't be listed", unlisted, "payload: expected what JSON can carry, found what can't be read: boom"],
  ["a toJSON that can't be looked for", { a: closed }, "payload: expected what JSON can carry, found what can't be read: boom"],
  ["a boxed bigint", { n: Object(1n) as unknown }, "payload.n: expected what JSON can carry, found a BigInt"],
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

class Named {
  readonly cents = 5;
  get [Symbol.toStringTag](): string {
    return "Named";
  }
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
  ["boxed values", { n: Object(5) as unknown, s: Object("x") as unknown }, '{"n":5,"s":"x"}'],
  ["a class that names its type", { m: new Named() }, '{"m":{"cents":5}}'],
  ["a URL", { u: new URL("http://x/a") }, '{"u":"http://x/a"}'],
  ["an instance without fields", { m: new (class Empty {})() }, '{"m":{}}'],
  ["an object without prototype", Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
])("carried: %s", (_, payload, text) => {
  expect(toJsonText(payload)).toBe(text);
});

test("too deep is refused, not a stack overflow", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(() => toJsonText(deep)).toThrow(expect.objectContaining({ code: "PAYLOAD_INVALID" }));
});
