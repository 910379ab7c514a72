import { checkOrders, readPlan, readPlanLeniently } from "./plan.js";

const orders = (customData: string): unknown => Object.fromEntries(readPlan("saga", customData).orders);

describe("a saga's custom_data", () => {
  test("absent: sequential", () => {
    expect(readPlan("saga", "")).toMatchObject({ concurrent: false });
    expect(orders("")).toEqual({});
  });

  test("concurrent with orders", () => {
    const text = '{"concurrent":true,"orders":{"2":[0,1]}}';
    expect(readPlan("saga", text).concurrent).toBe(true);
    expect(orders(text)).toEqual({ 2: [0, 1] });
  });

  test.each([
    ["null", '{"concurrent":true,"orders":null}', {}],
    ["PHP's list for the keys 0..n", '{"concurrent":true,"orders":[null,[0]]}', { 1: [0] }],
    ["PHP's empty list", '{"concurrent":true,"orders":[]}', {}],
    ["numeric texts", '{"concurrent":true,"orders":{"1":["0"]}}', { 1: [0] }],
  ])("orders as %s", (_name, text, expected) => {
    expect(orders(text)).toEqual(expected);
  });

  test("keys in any case, as Go reads them; the exact one wins", () => {
    expect(readPlan("saga", '{"Concurrent":true,"ORDERS":{"1":[0]}}')).toMatchObject({ concurrent: true });
    expect(orders('{"ORDERS":{"1":[0]}}')).toEqual({ 1: [0] });
    expect(readPlan("saga", '{"Concurrent":true,"concurrent":false}').concurrent).toBe(false);
  });

  test.each(["null", "false"])("concurrent as %s is sequential", (value) => {
    expect(readPlan("saga", `{"concurrent":${value}}`).concurrent).toBe(false);
  });

  test("null as a whole says nothing", () => {
    expect(readPlan("saga", "null").concurrent).toBe(false);
  });

  test.each([
    ["no JSON", "{", /custom_data is not JSON/],
    ["a list", "[]", /not a JSON object/],
    ["a text", '"x"', /not a JSON object/],
    ["orders that are no map", '{"orders":3}', /orders is not a map/],
    ["concurrent as a text", '{"concurrent":"true"}', /concurrent is not true or false/],
    ["concurrent as a number", '{"concurrent":1}', /concurrent is not true or false/],
    ["an order that is null", '{"orders":{"1":[null]}}', /orders names step null, which is not a whole number/],
    ["an order that is a flag", '{"orders":{"1":[true]}}', /orders names step true/],
    ["an order that is an empty text", '{"orders":{"1":[""]}}', /orders names step ""/],
    ["an order that is a list", '{"orders":{"1":[[]]}}', /orders names step \[\]/],
    ["an order that is no step", '{"orders":{"":[0]}}', /orders names step ""/],
    ["a step's orders that are no list", '{"orders":{"1":0}}', /orders\[1\] is not a list/],
  ])("refuses %s", (_name, text, message) => {
    expect(() => readPlan("saga", text)).toThrow(message);
  });

  test("names from prototypes are only names", () => {
    expect(readPlan("saga", '{"__proto__":{"concurrent":true}}').concurrent).toBe(false);
    expect(readPlan("workflow", '{"__proto__":{"name":"x"}}').name).toBe("");
  });
});

describe("orders", () => {
  const check = (map: Record<string, unknown>, steps: number): void =>
    checkOrders(readPlan("saga", JSON.stringify({ concurrent: true, orders: map })), steps);

  test("a diamond is fine", () => {
    expect(() => check({ 1: [0], 2: [0], 3: [1, 2] }, 4)).not.toThrow();
  });

  test.each([
    ["a key outside", { 4: [0] }, /names step 4, but there are 4 steps/],
    ["a predecessor outside", { 1: [4] }, /names step 4/],
    ["a negative one", { 1: [-1] }, /names step -1/],
    ["a fraction", { 1: [0.5] }, /names step 0.5/],
    ["a word", { one: [0] }, /names step "one"/],
    ["itself", { 1: [1] }, /cycle at step 1/],
    ["two that wait for each other", { 1: [2], 2: [1] }, /cycle/],
    ["a longer cycle", { 1: [2], 2: [3], 3: [1] }, /cycle/],
  ])("refuses %s", (_name, map, message) => {
    expect(() => check(map, 4)).toThrow(message);
  });
});

describe("a msg's delay", () => {
  test.each([
    ['{"delay":60}', 60],
    ['{"Delay":60}', 60],
    ['{"DELAY":"60"}', 60],
    ['{"delay":null}', 0],
    ["{}", 0],
    ["", 0],
  ])("%s", (text, seconds) => {
    expect(readPlan("msg", text).delay).toBe(seconds);
  });

  test.each(['{"delay":-1}', '{"delay":"soon"}', '{"delay":1e999}', '{"delay":{}}', '{"delay":true}'])("refuses %s", (text) => {
    expect(() => readPlan("msg", text)).toThrow("delay is not a number of seconds");
  });
});

describe("a workflow's custom_data", () => {
  test("its name and its input", () => {
    const plan = readPlan("workflow", JSON.stringify({ name: "transfer", data: Buffer.from("in").toString("base64") }));
    expect(plan.name).toBe("transfer");
    expect(Buffer.from(plan.data).toString()).toBe("in");
  });

  test("keys in any case", () => {
    const plan = readPlan("workflow", '{"Name":"transfer","DATA":"aW4="}');
    expect([plan.name, Buffer.from(plan.data).toString()]).toEqual(["transfer", "in"]);
  });

  test("its input as a list of bytes, as clients in Rust send it and Go's JSON reads it", () => {
    const data = [...Buffer.from('{"amount":30}')];
    expect(Buffer.from(readPlan("workflow", JSON.stringify({ name: "w", data })).data).toString()).toBe('{"amount":30}');
    expect(readPlan("workflow", '{"name":"w","data":null}').data).toHaveLength(0);
    expect(readPlan("workflow", '{"name":"w","data":"aW4=\\r\\n"}').data).toHaveLength(2);
  });

  test.each(['{"name":5}', '{"data":{}}', '{"data":7}', '{"data":"{}"}', '{"data":[256]}', '{"data":["a"]}'])(
    "%s is refused: a recall would have another input",
    (customData) => {
      expect(() => readPlan("workflow", customData)).toThrow(/name is not a text|data is neither base64 nor a list of bytes/);
    },
  );

  test("without either", () => {
    expect(readPlan("workflow", "{}")).toMatchObject({ name: "" });
  });
});

describe("where it is not looked at", () => {
  test.each(["tcc", "xa"] as const)("%s may put anything there", (type) => {
    expect(readPlan(type, "not json")).toEqual(readPlan(type, ""));
  });
});

test("a stored row is driven whatever it says", () => {
  expect(readPlanLeniently("msg", "not json")).toEqual(readPlan("msg", ""));
  expect(readPlanLeniently("msg", '{"delay":5}').delay).toBe(5);
});
