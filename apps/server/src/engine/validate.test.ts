import { anInput, aRegistration, sends, undoable } from "../../test/kit/inputs.js";
import type { BranchInput, StepInput, TransactionInput } from "./coordinator.js";
import { Refusal } from "./refusal.js";
import type { TransactionOptions } from "./transaction.js";
import { checkBranch, checkTransaction } from "./validate.js";

const MIB = 1024 * 1024;
const TEN_YEARS = 10 * 366 * 86_400;

function refusal(work: () => unknown): Refusal {
  try {
    work();
  } catch (cause) {
    if (cause instanceof Refusal) return cause;
    throw cause;
  }
  throw new Error("it was not refused");
}

const steps = (count: number): StepInput[] => Array.from({ length: count }, () => ({ action: "", compensate: "" }));

const saga = (fields: Parameters<typeof anInput>[2] = {}, gid = "g"): TransactionInput =>
  anInput("saga", gid, { steps: undoable("/a"), ...fields });

describe("a transaction", () => {
  test.each([
    ["the gid is empty", saga({}, ""), /gid is empty/],
    ["the gid has 129 characters", saga({}, "x".repeat(129)), /gid is longer than 128 characters/],
    ["the gid has a NUL", saga({}, "a\0b"), /gid contains a NUL/],
    ["the type is missing", anInput("", "g"), /unknown trans type: ''/],
    ["the type is unknown", anInput("sagas", "g"), /unknown trans type: 'sagas'/],
    ["the type is a name of a prototype", anInput("constructor", "g"), /unknown trans type/],
    ["query_prepared is over its column", saga({ queryPrepared: "q".repeat(1025) }), /query_prepared is longer than 1024/],
    ["query_prepared has a NUL", saga({ queryPrepared: "/q\0" }), /query_prepared contains a NUL/],
    ["protocol is over its column", saga({ protocol: "p".repeat(46) }), /protocol is longer than 45/],
    ["protocol has a NUL", saga({ protocol: "http\0" }), /protocol contains a NUL/],
    ["custom_data is over its column", saga({ customData: "c".repeat(1025) }), /custom_data is longer than 1024/],
    ["an action is over its column", saga({ steps: sends("a".repeat(1025)) }), /action is longer than 1024/],
    [
      "a compensation is over its column",
      saga({ steps: [{ action: "/a", compensate: "c".repeat(1025) }] }),
      /compensate is longer than 1024/,
    ],
    ["an action has a NUL", saga({ steps: sends("/a\0") }), /action contains a NUL/],
    [
      "there are more steps than payloads",
      saga({ steps: undoable("/a", "/b"), payloads: [Buffer.from("{}")] }),
      /index out of range/,
    ],
    ["there are over 10,000 steps", saga({ steps: steps(10_001) }), /^a transaction has at most 10000 steps, found 10001$/],
    ["a payload is over 1 MiB", saga({ payloads: [Buffer.alloc(MIB + 1)] }), /payload is 1048577 bytes/],
    ["a msg's action is over its column", anInput("msg", "g", { steps: sends("a".repeat(1025)) }), /action is longer/],
  ])("is refused when %s", (_name, input, message) => {
    const refused = refusal(() => checkTransaction(input));
    expect(refused.code).toBe("INVALID_INPUT");
    expect(refused.message).toMatch(message);
  });

  const options: readonly [name: string, options: Partial<TransactionOptions>, message: RegExp][] = [
    ...(["timeoutToFail", "requestTimeout", "retryInterval"] as const).flatMap((name) => {
      const wire = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const bad = (value: number, message: string): [string, Partial<TransactionOptions>, RegExp] => [
        `${wire} is ${value}`,
        { [name]: value },
        new RegExp(`${wire} ${message}`),
      ];
      return [
        bad(-1, "must be a number of seconds, 0 or more; found -1"),
        bad(Number.NaN, "must be a number"),
        bad(Number.POSITIVE_INFINITY, "must be a number"),
        bad(TEN_YEARS + 1, "is over ten years"),
      ];
    }),
    ["retry_limit is negative", { retryLimit: -1 }, /retry_limit must be a whole number/],
    ["retry_limit is no whole number", { retryLimit: 1.5 }, /retry_limit must be a whole number/],
    ["retry_limit is over 10,000", { retryLimit: 10_001 }, /^retry_limit is over 10000: 10001$/],
    ["retry_limit is infinite", { retryLimit: Number.POSITIVE_INFINITY }, /retry_limit/],
    [
      "a header name that HTTP refuses",
      { branchHeaders: { "a b": "x" } },
      /branch_headers has a name or value that HTTP refuses/,
    ],
    ["an empty header name", { branchHeaders: { "": "x" } }, /branch_headers/],
    ["a header value with a line break", { branchHeaders: { a: "x\r\nHost: evil" } }, /branch_headers/],
    [
      "there are too many headers to be stored, whatever their names",
      { branchHeaders: Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`a b${at}`, ""])) },
      /options is longer than 1024/,
    ],
    ["options are over their column", { branchHeaders: { a: "x".repeat(1024) } }, /options is longer than 1024/],
  ];
  test.each(options)("is refused when %s", (_name, bad, message) => {
    const refused = refusal(() => checkTransaction(saga({ options: bad })));
    expect(refused.code).toBe("INVALID_INPUT");
    expect(refused.message).toMatch(message);
  });

  test.each<[string, TransactionInput]>([
    ["a gid of 128 characters", saga({}, "x".repeat(128))],
    ["a gid of 128 characters outside the basic plane", saga({}, "😀".repeat(128))],
    ["a gid with quotes and spaces", saga({}, `a'b"c ;--`)],
    ["a custom_data of 1024 characters", saga({ customData: "c".repeat(1024) })],
    ["a payload of exactly 1 MiB", saga({ payloads: [Buffer.alloc(MIB)] })],
    ["more payloads than steps", saga({ payloads: [Buffer.from("1"), Buffer.from("2")] })],
    ["no steps", anInput("saga", "g")],
    ["10,000 steps", saga({ steps: steps(10_000) })],
    ["a retry_limit of 10,000", saga({ options: { retryLimit: 10_000 } })],
    ["ten years", saga({ options: { timeoutToFail: TEN_YEARS } })],
    ["zeros, which mean the server's settings", saga({ options: { timeoutToFail: 0, requestTimeout: 0, retryInterval: 0 } })],
    ["headers in any language, as Go sends them", saga({ options: { branchHeaders: { "x-user": "张三" } } })],
    ["ordinary headers", saga({ options: { branchHeaders: { "X-Tenant": "a, b", authorization: "Bearer x" } } })],
    ["a tcc whose steps nobody reads", anInput("tcc", "g", { steps: sends("a".repeat(2_000)), payloads: [] })],
  ])("may have %s", (_name, input) => {
    expect(checkTransaction(input)).toBe(input.type);
  });
});

describe("a registration", () => {
  const tcc = (fields: Partial<BranchInput>): BranchInput => aRegistration("tcc", "g", "01", fields);

  test.each([
    ["the gid is empty", aRegistration("tcc", "", "01"), /gid is empty/],
    ["the branch id is over its column", aRegistration("tcc", "g", "1".repeat(129)), /branch_id is longer than 128/],
    ["the branch id has a NUL", aRegistration("tcc", "g", "0\0"), /branch_id contains a NUL/],
    ["confirm is over its column", tcc({ confirm: "c".repeat(1025) }), /confirm is longer than 1024/],
    ["cancel is over its column", tcc({ cancel: "c".repeat(1025) }), /cancel is longer than 1024/],
    ["url is over its column", tcc({ url: "c".repeat(1025) }), /url is longer than 1024/],
    ["op is over its column", tcc({ op: "o".repeat(46) }), /op is longer than 45/],
    ["data is over 1 MiB", tcc({ payload: Buffer.alloc(MIB + 1) }), /data is 1048577 bytes/],
  ])("is refused when %s", (_name, input, message) => {
    const refused = refusal(() => checkBranch(input));
    expect(refused.code).toBe("INVALID_INPUT");
    expect(refused.message).toMatch(message);
  });

  test("may leave its URLs empty: nothing to call is success", () => {
    expect(() => checkBranch(tcc({}))).not.toThrow();
  });
});
