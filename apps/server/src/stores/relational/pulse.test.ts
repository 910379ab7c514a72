/** What a beat that failed must not do to the next one. What a real database does is in contract/heartbeat.ts. */
import { StoreUnavailable } from "../store.js";
import type { Trouble } from "./database.js";
import { Pulse, type Wire } from "./pulse.js";

const LIMIT_MS = 200;

/** Each connection is the next of `connections`, the last one again and again; an Error refuses. */
function pulse(trouble: Trouble, ...connections: readonly (Error | (() => Promise<string>))[]) {
  const seen = { connects: 0, cut: 0 };
  const connect = async (): Promise<Wire<() => Promise<string>>> => {
    const given = connections[Math.min(seen.connects++, connections.length - 1)];
    if (given === undefined || given instanceof Error) throw given;
    return { db: given, cut: () => void seen.cut++, close: async () => undefined };
  };
  return { seen, pulse: new Pulse({ connect, troubleOf: () => trouble }) };
}

const beats = async (): Promise<string> => "beat";
const fails = (): Promise<never> => Promise.reject(new Error("no"));

test.each<Trouble>(["down", "data", "denied"])("a login that failed as %s is tried again at the next beat", async (trouble) => {
  const { pulse: refused, seen } = pulse(trouble, new Error("Access denied"), beats);
  await expect(refused.ask((db) => db(), LIMIT_MS)).rejects.toThrow("Access denied");
  expect(seen.connects).toBe(1);
  expect(await refused.ask((db) => db(), LIMIT_MS)).toBe("beat");
});

test("a statement that failed keeps the connection, unless that is lost or has no right", async () => {
  const connectsAfter = async (trouble: Trouble): Promise<{ connects: number; cut: number }> => {
    const { pulse: failing, seen } = pulse(trouble, fails, beats);
    await expect(failing.ask((db) => db(), 0)).rejects.toThrow();
    await failing.ask(async () => "beat", LIMIT_MS);
    return seen;
  };
  expect(await connectsAfter("down")).toEqual({ connects: 1, cut: 0 });
  expect(await connectsAfter("lost")).toEqual({ connects: 2, cut: 1 });
  expect(await connectsAfter("denied")).toEqual({ connects: 2, cut: 1 });
});

test("what has no right is refused at once, not tried until the limit", async () => {
  const { pulse: denied, seen } = pulse("denied", fails);
  await expect(denied.ask((db) => db(), 60_000)).rejects.toThrow(StoreUnavailable);
  expect(seen.connects).toBe(1);
});
