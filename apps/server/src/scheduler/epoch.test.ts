import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Begun, Epochs, type Host, thisHost } from "./epoch.js";

const PLACE = "0123456789abcdef";

function host(overrides: Partial<Host> = {}): Host {
  return { name: "shop.example", place: PLACE, begun: () => ({ at: "4711" }), ...overrides };
}

const name = new Epochs(host(), 77).fresh();

test("never the same, no colon, and room for the counter of an owner", () => {
  const long = new Epochs(host({ name: `${"a".repeat(300)}:b`, begun: () => ({ at: "9".repeat(20) }) }), 4_194_304).fresh();
  expect(long).not.toContain(":");
  expect(`${long}:${Number.MAX_SAFE_INTEGER}`.length).toBeLessThanOrEqual(128);
  expect(new Epochs(host(), 77).fresh()).not.toBe(name);
});

test.each<[string, Partial<Host>, boolean]>([
  ["a process that lives", {}, false],
  ["no process of this number", { begun: () => "gone" }, true],
  ["a younger process of this number", { begun: () => ({ at: "4712" }) }, true],
  ["a process that nobody can tell about", { begun: () => null }, false],
  ["another host", { name: "other.example", begun: () => "gone" }, false],
  ["another start of the host, or another container", { place: "fedcba9876543210", begun: () => "gone" }, false],
  ["a host that proves nothing", { place: null, begun: () => "gone" }, false],
])("%s: %#", (_, overrides, gone) => {
  expect(new Epochs(host(overrides), 78).isGone(name)).toBe(gone);
});

test("a name that carries no proof is never gone", () => {
  const gone = (): Begun => "gone";
  const bare = new Epochs(host({ place: null }), 77).fresh();
  expect(bare).toMatch(/^shop\.example\.77\.[0-9a-f]{12}$/);
  for (const epoch of [bare, "", "here", "node.1"]) expect(new Epochs(host({ begun: gone }), 78).isGone(epoch)).toBe(false);
});

test("on this very host: a process that was killed is gone, one that lives is not", async () => {
  if (thisHost().place === null) return;
  const epochs = new Epochs();
  expect(epochs.isGone(epochs.fresh())).toBe(false);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const ofChild = new Epochs(thisHost(), child.pid).fresh();
  expect(epochs.isGone(ofChild)).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(epochs.isGone(ofChild)).toBe(true);
});
