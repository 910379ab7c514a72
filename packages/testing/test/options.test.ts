/** What the kit is given from JavaScript: what can't be used is named, and nothing is tested by half without a word. */
import {
  type FaultMatrixOptions,
  faultMatrix,
  type Kit,
  type Scenario,
  startCoordinator,
  type TestCoordinator,
  type TestCoordinatorOptions,
} from "../src/index.js";

let runs = 0;
beforeEach(() => {
  runs = 0;
});

const scenario: Scenario<void> = {
  setup: (kit) => kit.serve("http://shop", (_, response) => void response.end("{}")),
  run: (kit) => {
    runs++;
    return kit.client.msg().step({ action: "http://shop/ship", payload: {} }).submit();
  },
};
const invariant = (): boolean => true;
const invalid = (message: string) => ({ code: "OPTION_INVALID", message: expect.stringContaining(message) as unknown });

test.each<[string, unknown]>([
  ["options: expected an object, found null", null],
  ["options: expected an object", undefined],
  ["options.invariant: expected a function", {}],
  ["sed: no such option", { invariant, sed: "late@g1/01.action#1" }],
  ["seed: expected what an earlier run printed, found 5", { invariant, seed: 5 }],
  ["maxRuns: expected a whole number, 1 or more, found -1", { invariant, maxRuns: -1 }],
  ["maxRuns: expected a whole number, 1 or more, found 0", { invariant, maxRuns: 0 }],
  ["maxRuns: expected a whole number, 1 or more, found NaN", { invariant, maxRuns: Number.NaN }],
  ["maxRuns: expected a whole number", { invariant, maxRuns: "3" }],
  ["withinMs: expected milliseconds, 0 or more, found NaN", { invariant, withinMs: Number.NaN }],
  ["withinMs: expected milliseconds", { invariant, withinMs: -1 }],
  ["longestHandlerMs: expected milliseconds above 0, found 0", { invariant, longestHandlerMs: 0 }],
  ["longestHandlerMs: expected milliseconds above 0, found NaN", { invariant, longestHandlerMs: Number.NaN }],
  ["settings: nope: no such option", { invariant, settings: { nope: 1 } }],
  ["settings: expected an object", { invariant, settings: null }],
])("faultMatrix refuses options: %s", async (message, options) => {
  await expect(faultMatrix(scenario, options as FaultMatrixOptions<void>)).rejects.toMatchObject(invalid(message));
  expect(runs).toBe(0);
});

test.each<[string, unknown]>([
  ["scenario: expected an object", null],
  ["scenario.setup: expected a function", { run: scenario.run }],
  ["scenario.run: expected a function", { setup: scenario.setup, run: "saga" }],
])("faultMatrix refuses a scenario: %s", async (message, given) => {
  await expect(faultMatrix(given as Scenario<void>, { invariant })).rejects.toMatchObject(invalid(message));
});

test.each<[string, (kit: Kit) => unknown]>([
  ["serve: origin: expected a scheme and a host", (kit) => kit.serve("shop", () => undefined)],
  ["serve: listener of http://shop: expected a function", (kit) => kit.serve("http://shop", undefined as never)],
  ["kit.pause: expected milliseconds", (kit) => kit.pause(Number.NaN)],
  ["kit.io: expected a function", (kit) => kit.io(5 as never)],
  ["kit.fallible: expected an object", (kit) => kit.fallible(null as never)],
])("a kit refuses what it is given: %s", async (message, use) => {
  const setup = async (kit: Kit): Promise<void> => void (await use(kit));
  await expect(faultMatrix({ ...scenario, setup }, { invariant })).rejects.toMatchObject(invalid(message));
});

test.each<[string, unknown]>([
  ["options: expected an object, found null", null],
  ["setting: no such option", { setting: {} }],
  ["longestHandlerMs: expected milliseconds above 0", { longestHandlerMs: "10" }],
  ["settings: leaseMS: no such option", { settings: { leaseMS: 1 } }],
])("startCoordinator refuses: %s", async (message, options) => {
  await expect(startCoordinator(options as TestCoordinatorOptions)).rejects.toMatchObject(invalid(message));
});

describe("a coordinator in a test", () => {
  let dtm: TestCoordinator;
  beforeEach(async () => {
    dtm = await startCoordinator({ settings: { graceMs: 5 } });
  });
  afterEach(() => dtm.stop());

  test.each([Number.NaN, -5, "5", undefined, Number.POSITIVE_INFINITY])("isn't moved by %s milliseconds", async (ms) => {
    const now = dtm.now();
    await expect(dtm.advance(ms as number)).rejects.toMatchObject(invalid("advance: expected milliseconds"));
    expect(dtm.now()).toBe(now);
    await dtm.advance(5);
    expect(dtm.now()).toBe(now + 5);
  });

  test("waits for an end within a time, and serves a listener at an origin", async () => {
    await expect(dtm.ended("g", Number.NaN)).rejects.toMatchObject(invalid("withinMs: expected milliseconds"));
    expect(() => dtm.serve("nonsense", () => undefined)).toThrow(expect.objectContaining(invalid("serve: origin")));
    expect(() => dtm.serve("http://q", null as never)).toThrow(expect.objectContaining(invalid("serve: listener of http://q")));
  });
});
