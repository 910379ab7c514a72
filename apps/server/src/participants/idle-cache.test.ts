import { IdleCache } from "./idle-cache.js";

function open(bound = 10): { cache: IdleCache<string>; closed: string[]; busy: Set<string> } {
  const closed: string[] = [];
  const busy = new Set<string>();
  const cache = new IdleCache<string>({
    open: (key) => key.toUpperCase(),
    isBusy: (value) => busy.has(value),
    close: (value) => closed.push(value),
    bound,
    sweepMs: 2 ** 31 - 1,
  });
  opened.push(cache);
  return { cache, closed, busy };
}

const opened: IdleCache<string>[] = [];
afterEach(() => {
  for (const cache of opened.splice(0)) cache.close();
});

test("what was not used for a whole sweep is closed, and opened anew", () => {
  const { cache, closed } = open();
  expect(cache.get("a")).toBe("A");
  cache.sweep();
  cache.get("b");
  expect(closed).toEqual([]);
  cache.sweep();
  expect(closed).toEqual(["A"]);
  expect(cache.get("a")).toBe("A");
  expect(cache.size).toBe(2);
});

test("what is busy stays, however long", () => {
  const { cache, closed, busy } = open();
  cache.get("a");
  busy.add("A");
  for (let i = 0; i < 5; i++) cache.sweep();
  expect(closed).toEqual([]);
  busy.clear();
  cache.sweep();
  expect(closed).toEqual(["A"]);
});

test("above the bound the one used longest ago goes, unless it is busy", () => {
  const { cache, closed, busy } = open(2);
  cache.get("a");
  cache.sweep();
  cache.get("b");
  busy.add("A");
  cache.get("c");
  expect(closed).toEqual(["B"]);
  busy.add("C");
  cache.get("d");
  expect([closed, cache.size]).toEqual([["B"], 3]);
});

test("closing hands over what is open", () => {
  const { cache } = open();
  cache.get("a");
  cache.get("b");
  expect(cache.close()).toEqual(["A", "B"]);
});
