import { Refusal } from "../../engine/refusal.js";
import { AS_WRITTEN, decodeBranch, decodeSteps, decodeTransaction, OVER_HTTP } from "./decode.js";

const texts = (payloads: readonly Uint8Array[]) => payloads.map((payload) => Buffer.from(payload).toString());

function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (cause) {
    if (cause instanceof Refusal) return `${cause.code} ${cause.message}`;
    throw cause;
  }
  return "decoded";
}

describe("a transaction", () => {
  test.each([undefined, null, {}, []])("of %p is empty, and every field has its value", (body) => {
    expect(decodeTransaction(body, OVER_HTTP)).toEqual({
      gid: "",
      type: "",
      protocol: "http",
      steps: [],
      payloads: [],
      queryPrepared: "",
      customData: "",
      options: {
        waitResult: false,
        timeoutToFail: 0,
        requestTimeout: 0,
        retryInterval: 0,
        retryLimit: 0,
        concurrent: false,
        branchHeaders: {},
      },
      rollbackReason: "",
      extra: {},
    });
  });

  test.each([
    [5, 5],
    ["5", 5],
    ["+5", 5],
    ["-5", -5],
    ["", 0],
    [null, 0],
    [1e21, 1e21],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("understands %p as a whole number", (value, expected) => {
    expect(decodeTransaction({ timeout_to_fail: value }, OVER_HTTP).options.timeoutToFail).toBe(expected);
  });

  test.each([1.5, "1.5", "5s", " ", "0x5", true, {}, [], [5]])("refuses %p as a whole number", (value) => {
    expect(refusal(() => decodeTransaction({ retry_limit: value }, OVER_HTTP))).toMatch(/^INVALID_INPUT retry_limit must be/);
  });

  test("an exact key wins over one in another case, and no case makes a key known that isn't", () => {
    expect(decodeTransaction({ GID: "upper", gid: "lower" }, OVER_HTTP).gid).toBe("lower");
    expect(decodeTransaction({ gid: "lower", GID: "upper" }, OVER_HTTP).gid).toBe("lower");
    expect(decodeTransaction({ Gid: "a", Trans_Type: "saga", ſteps: [] }, OVER_HTTP)).toMatchObject({ gid: "a", type: "saga" });
  });

  test("the input isn't changed", () => {
    const body = Object.freeze({ GID: "g", Steps: Object.freeze([Object.freeze({ Action: "a" })]), payloads: null });
    expect(decodeTransaction(body, OVER_HTTP)).toMatchObject({ gid: "g", steps: [{ action: "a", compensate: "" }] });
  });

  test("the gid is cleaned on HTTP alone", () => {
    const body = { gid: ";a\n;b\r" };
    expect([1, 2].map(() => decodeTransaction(body, OVER_HTTP).gid)).toEqual(["ab", "ab"]);
    expect(decodeTransaction(body, AS_WRITTEN).gid).toBe(";a\n;b\r");
    expect(decodeBranch(body, OVER_HTTP).gid).toBe("ab");
  });

  test("maps from clients have no prototype (R22)", () => {
    const body = JSON.parse('{"branch_headers":{"__proto__":"x","a":null},"req_extra":{"toString":"y"}}');
    const { options, extra } = decodeTransaction(body, OVER_HTTP);
    expect([Object.getPrototypeOf(options.branchHeaders), Object.getPrototypeOf(extra)]).toEqual([null, null]);
    expect(Object.entries(options.branchHeaders)).toEqual([
      ["__proto__", "x"],
      ["a", ""],
    ]);
    expect(extra["constructor"]).toBeUndefined();
    expect(decodeTransaction({}, OVER_HTTP).extra["constructor"]).toBeUndefined();
  });

  test.each([
    ["http", "http"],
    ["grpc", "grpc"],
    ["json-rpc", "json-rpc"],
    ["", "http"],
    [null, "http"],
    ["HTTP", "HTTP"],
    ["soap", "soap"],
  ])("protocol %p is %s", (protocol, expected) => {
    expect(decodeTransaction({ protocol }, OVER_HTTP).protocol).toBe(expected);
  });
});

describe("steps", () => {
  test("data of old clients comes after payloads, in step order; empty data is none", () => {
    const { steps, payloads } = decodeSteps([{ action: "a", data: "x" }, { action: "b", data: "" }, { data: "z" }], ["p", null]);
    expect(steps.map(({ action }) => action)).toEqual(["a", "b", ""]);
    expect(texts(payloads)).toEqual(["p", "", "x", "z"]);
  });

  test("a step may be null, and hold what nobody knows", () => {
    expect(decodeSteps([null, { action: "a", extra: 7 }], null).steps).toEqual([
      { action: "", compensate: "" },
      { action: "a", compensate: "" },
    ]);
  });

  test.each([
    [{}, undefined, "steps must be a list, found an object"],
    [[[1]], undefined, "steps[0] must be an object, found a list"],
    [[{ action: {} }], undefined, "steps[0].action must be a text, found an object"],
    [[{ compensate: false }], undefined, "steps[0].compensate must be a text, found false"],
    [undefined, "x", 'payloads must be a list, found the text "x"'],
    [undefined, ["a", 2], "payloads[1] must be a text, found 2"],
  ])("%p and %p are refused", (steps, payloads, message) => {
    expect(refusal(() => decodeSteps(steps, payloads))).toBe(`INVALID_INPUT ${message}`);
  });

  test.each(["steps", "payloads"] as const)("more %s than a transaction may have are refused before one is looked at", (name) => {
    const many = Array(10_001).fill(7);
    const [steps, payloads] = name === "steps" ? [many, null] : [null, many];
    expect(refusal(() => decodeSteps(steps, payloads))).toBe(
      `INVALID_INPUT a transaction has at most 10000 ${name}, found 10001`,
    );
  });
});

test("a branch's value that is nested too deeply to be written is the client's fault", () => {
  const data: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
  expect(refusal(() => decodeBranch({ gid: "g", data }, OVER_HTTP))).toBe(
    "INVALID_INPUT a value is nested too deeply to be stored",
  );
});

test("a branch's values may be anything that has a text", () => {
  const { branchId, payload, confirm, url, status } = decodeBranch(
    { gid: "g", branch_id: 1, data: { a: [1] }, confirm: null, URL: "u", status: true },
    OVER_HTTP,
  );
  expect([branchId, texts([payload]), confirm, url, status]).toEqual(["1", ['{"a":[1]}'], "", "u", "true"]);
});
