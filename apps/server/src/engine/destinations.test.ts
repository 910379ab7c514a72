import type { Outcome } from "@dtm/protocol";
import { type Caller, Destinations, type Entry } from "./destinations.js";
import { settle, VirtualClock } from "./virtual-clock.js";

const ERROR: Outcome = { kind: "unknown", message: "refused" };
const OK: Outcome = { kind: "success" };
const RULES = { limit: 4, patienceMs: 1_000, errorsToOpen: 5, transactionsToOpen: 3 };

function setUp(rules = RULES): { clock: VirtualClock; destinations: Destinations; told: string[] } {
  const clock = new VirtualClock();
  const told: string[] = [];
  const destinations = new Destinations(clock, rules, {
    opened: (destination) => told.push(`opened ${destination}`),
    answered: (destination) => told.push(`answered ${destination}`),
  });
  return { clock, destinations, told };
}

const caller = (fields: Partial<Caller> = {}): Caller => ({ gid: "g", undo: false, pass: false, ...fields });

function fail(destinations: Destinations, times: number, gids: readonly string[], destination = "/a"): void {
  for (let i = 0; i < times; i++) {
    const gid = gids[i % gids.length] ?? "g";
    void destinations.enter(destination, caller({ gid, pass: true }));
    destinations.leave(destination, gid, ERROR);
  }
}

describe("the limit (R12)", () => {
  test("is per destination: a full one doesn't hold up another", () => {
    const { destinations } = setUp();
    for (let i = 0; i < 4; i++) expect(destinations.enter("/a", caller())).toEqual({ kind: "go" });
    expect(destinations.enter("/a", caller())).toBeInstanceOf(Promise);
    expect(destinations.enter("/b", caller())).toEqual({ kind: "go" });
  });

  test("a caller without a slot is deferred after its patience, and doesn't take one later", async () => {
    const { clock, destinations } = setUp();
    for (let i = 0; i < 4; i++) void destinations.enter("/a", caller());
    const entries: Entry[] = [];
    void Promise.resolve(destinations.enter("/a", caller())).then((entry) => entries.push(entry));
    await clock.advance(999);
    expect(entries).toEqual([]);
    await clock.advance(1);
    expect(entries).toEqual([{ kind: "deferred", reason: "full" }]);
    destinations.leave("/a", "g", OK);
    expect(destinations.inFlight("/a")).toBe(3);
  });

  test("a freed slot goes to who waits, in turn", async () => {
    const { destinations } = setUp();
    for (let i = 0; i < 4; i++) void destinations.enter("/a", caller());
    const order: string[] = [];
    for (const name of ["first", "second"]) void Promise.resolve(destinations.enter("/a", caller())).then(() => order.push(name));
    destinations.leave("/a", "g", OK);
    await settle();
    expect(order).toEqual(["first"]);
    expect(destinations.inFlight("/a")).toBe(4);
    destinations.leave("/a", "g", OK);
    await settle();
    expect(order).toEqual(["first", "second"]);
  });

  test("compensations get three of four free slots, never all", async () => {
    const { destinations } = setUp();
    for (let i = 0; i < 4; i++) void destinations.enter("/a", caller());
    const order: string[] = [];
    for (let i = 0; i < 3; i++) void Promise.resolve(destinations.enter("/a", caller())).then(() => order.push("on"));
    for (let i = 0; i < 5; i++)
      void Promise.resolve(destinations.enter("/a", caller({ undo: true }))).then(() => order.push("undo"));
    for (let i = 0; i < 8; i++) {
      destinations.leave("/a", "g", OK);
      await settle();
    }
    expect(order).toEqual(["undo", "undo", "undo", "on", "undo", "undo", "on", "on"]);
  });

  test("what was never sent pays its slot back without a verdict", () => {
    const { destinations, told } = setUp({ ...RULES, errorsToOpen: 1, transactionsToOpen: 1 });
    void destinations.enter("/a", caller());
    destinations.leave("/a", "g", null);
    expect(destinations.inFlight("/a")).toBe(0);
    expect(told).toEqual([]);
  });
});

describe("the breaker (R13)", () => {
  test("opens after enough errors in a row from enough transactions, and says so once", () => {
    const { destinations, told } = setUp();
    fail(destinations, 4, ["1", "2", "3"]);
    expect(destinations.isOpen("/a")).toBe(false);
    fail(destinations, 3, ["4"]);
    expect(destinations.isOpen("/a")).toBe(true);
    expect(told).toEqual(["opened /a"]);
    expect(destinations.enter("/a", caller())).toEqual({ kind: "deferred", reason: "open" });
    expect(destinations.enter("/b", caller())).toEqual({ kind: "go" });
  });

  test("stays closed when the errors come from too few transactions", () => {
    const { destinations } = setUp();
    fail(destinations, 50, ["1", "2"]);
    expect(destinations.isOpen("/a")).toBe(false);
  });

  test.each<Outcome>([OK, { kind: "failure", reason: "" }, { kind: "ongoing", reason: "" }])(
    "an answer ($kind) begins the count again",
    (outcome) => {
      const { destinations } = setUp();
      fail(destinations, 4, ["1", "2", "3"]);
      void destinations.enter("/a", caller());
      destinations.leave("/a", "g", outcome);
      fail(destinations, 4, ["1", "2", "3"]);
      expect(destinations.isOpen("/a")).toBe(false);
    },
  );

  test("a pass goes through; its answer closes the breaker and says so once", () => {
    const { destinations, told } = setUp();
    fail(destinations, 5, ["1", "2", "3"]);
    expect(destinations.enter("/a", caller({ pass: true }))).toEqual({ kind: "go" });
    destinations.leave("/a", "g", { kind: "failure", reason: "" });
    expect(destinations.isOpen("/a")).toBe(false);
    expect(told).toEqual(["opened /a", "answered /a"]);
    expect(destinations.enter("/a", caller())).toEqual({ kind: "go" });
  });

  test("a pass that fails leaves it open", () => {
    const { destinations, told } = setUp();
    fail(destinations, 5, ["1", "2", "3"]);
    fail(destinations, 1, ["4"]);
    expect(destinations.isOpen("/a")).toBe(true);
    expect(told).toEqual(["opened /a"]);
  });

  test("when it opens, nobody goes on waiting for a slot", async () => {
    const { clock, destinations } = setUp();
    for (let i = 0; i < 4; i++) void destinations.enter("/a", caller());
    const entries: Entry[] = [];
    for (const undo of [true, false])
      void Promise.resolve(destinations.enter("/a", caller({ undo }))).then((entry) => entries.push(entry));
    destinations.begin("/a");
    await settle();
    expect(entries).toEqual([
      { kind: "deferred", reason: "open" },
      { kind: "deferred", reason: "open" },
    ]);
    await clock.advance(5_000);
    expect(entries).toHaveLength(2);
  });

  test("begin opens once", () => {
    const { destinations, told } = setUp();
    destinations.begin("/a");
    destinations.begin("/a");
    expect(told).toEqual(["opened /a"]);
  });

  test("close forgets the errors without telling anybody", () => {
    const { destinations, told } = setUp();
    fail(destinations, 5, ["1", "2", "3"]);
    destinations.close("/a");
    expect(destinations.enter("/a", caller())).toEqual({ kind: "go" });
    destinations.leave("/a", "g", ERROR);
    expect(destinations.isOpen("/a")).toBe(false);
    expect(told).toEqual(["opened /a"]);
  });
});

test("what it shows", () => {
  const { destinations } = setUp();
  destinations.begin("/down");
  void destinations.enter("/up", caller());
  expect([...destinations.view()]).toEqual([
    { destination: "/down", open: true, inFlight: 0 },
    { destination: "/up", open: false, inFlight: 1 },
  ]);
});

test("one whose last call met an error is forgotten too: a path with an order's number in it is called once (R12)", () => {
  const { destinations } = setUp();
  for (let i = 0; i < 20_000; i++) fail(destinations, 1, ["g"], `/orders/${i}/pay`);
  expect([...destinations.view()].length).toBeLessThanOrEqual(4_096);
});

test("the one used longest ago is forgotten first", () => {
  const { destinations } = setUp();
  fail(destinations, 4, ["a", "b", "c"], "/used");
  for (let i = 0; i < 20_000; i++) {
    fail(destinations, 1, ["g"], `/${i}`);
    void destinations.enter("/used", caller());
    destinations.leave("/used", "g", null);
  }
  fail(destinations, 1, ["c"], "/used");
  expect(destinations.isOpen("/used")).toBe(true);
});

test("quiet destinations are forgotten, busy and broken ones are not", () => {
  const { destinations } = setUp();
  destinations.begin("/down");
  void destinations.enter("/busy", caller());
  for (let i = 0; i < 20_000; i++) {
    void destinations.enter(`/${i}`, caller());
    destinations.leave(`/${i}`, "g", OK);
  }
  expect([...destinations.view()].length).toBeLessThan(20_000);
  expect(destinations.isOpen("/down")).toBe(true);
  expect(destinations.inFlight("/busy")).toBe(1);
});
