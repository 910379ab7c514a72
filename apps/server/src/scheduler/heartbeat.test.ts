import { anInput, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { TestNode } from "../../test/kit/test-node.js";
import { settle, VirtualClock } from "../engine/virtual-clock.js";
import { saga } from "../stores/contract/fixtures.js";
import { MemoryStore } from "../stores/memory/store.js";

function shared(): { clock: VirtualClock; store: MemoryStore } {
  const clock = new VirtualClock();
  return { clock, store: new MemoryStore({ now: () => clock.now(), shared: true }) };
}

test("once a second, for a lease of five (R2)", async () => {
  const { clock, store } = shared();
  const beats = jest.spyOn(store, "heartbeat");
  await TestNode.started({ clock, store, name: "a" });
  await clock.advance(10_000);
  expect(beats).toHaveBeenCalledTimes(11);
  expect(beats).toHaveBeenLastCalledWith("a.1", 5_000);
});

test("none on a store of its own: nothing is written while idle", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ now: () => clock.now() });
  const beats = jest.spyOn(store, "heartbeat");
  await TestNode.started({ clock, store });
  await clock.advance(10_000);
  expect(beats).not.toHaveBeenCalled();
});

test("nothing is claimed before the first one is confirmed", async () => {
  const { clock, store } = shared();
  const claims = jest.spyOn(store, "claimDue");
  const node = new TestNode({ clock, store });
  const go = node.watched.block("heartbeat");
  const started = node.core.start();
  await clock.advance(3_000);
  expect(claims).not.toHaveBeenCalled();
  go();
  await started;
  await settle();
  expect(claims).toHaveBeenCalled();
});

test("a start without a store fails", async () => {
  const { clock, store } = shared();
  const node = new TestNode({ clock, store });
  node.watched.down = true;
  await expect(node.core.start()).rejects.toThrow("the store is down");
});

test("a beat that fails is logged, and the next one comes", async () => {
  const { clock, store } = shared();
  const node = await TestNode.started({ clock, store });
  node.watched.fail("heartbeat", "before");
  const beats = jest.spyOn(store, "heartbeat");
  await clock.advance(2_000);
  expect(node.logged).toContainEqual(expect.objectContaining({ level: "warn", event: "heartbeat failed" }));
  expect(beats).toHaveBeenCalledTimes(1);
});

test("a node declared dead goes on as a new epoch; what it drove is another's", async () => {
  const { clock, store } = shared();
  const dead = await TestNode.started({ clock, store, name: "dead" });
  const other = await TestNode.started({ clock, store, name: "other" });
  dead.participants.hold("/a");
  other.participants.hold("/a");
  await dead.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b"), options: { requestTimeout: 60 } }));
  await settle();
  const go = dead.watched.block("heartbeat");
  await clock.advance(9_000);
  expect(store.peek("g")?.transaction.owner).toMatch(/^other\./);
  go();
  await clock.advance(1_000);
  expect(dead.core.engine.epoch).toBe("dead.2");
  dead.participants.inFlight("/a").answer({ kind: "success" });
  await clock.advance(1_000);
  expect(dead.participants.urls).toEqual(["/a"]);
  other.participants.inFlight("/a").answer({ kind: "success" });
  await clock.advance(1_000);
  expect(store.peek("g")?.transaction.status).toBe("succeed");
  expect(other.participants.urls).toEqual(["/a", "/b"]);
});

test("the new epoch drives again", async () => {
  const { clock, store } = shared();
  const node = await TestNode.started({ clock, store, name: "n" });
  await store.retire("n.1");
  await clock.advance(1_500);
  await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
  await node.until(() => node.status("g") === "succeed", 3_000);
  expect(node.core.engine.newOwner()).toMatch(/^n\.2:/);
});

test("a branch call may outlast any lease while the heartbeat lives", async () => {
  const { clock, store } = shared();
  const node = await TestNode.started({ clock, store, name: "a" });
  const other = await TestNode.started({ clock, store, name: "b" });
  node.participants.script("/slow", { ...REPLIES.ok, afterMs: 50_000 });
  await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/slow"), options: { requestTimeout: 60 } }));
  await clock.advance(51_000);
  expect(node.status("g")).toBe("succeed");
  expect(other.participants.urls).toEqual([]);
});

test("a graceful stop declares its epoch dead: others need not wait for the lease", async () => {
  const { clock, store } = shared();
  const node = await TestNode.started({ clock, store, name: "a" });
  await node.stop();
  expect(await store.heartbeat("a.1", 5_000)).toBe(false);
  const beats = jest.spyOn(store, "heartbeat");
  await clock.advance(10_000);
  expect(beats).not.toHaveBeenCalled();
});

test("an earlier process of this host that is gone is dead at once, one that may live is not (R2)", async () => {
  const { clock, store } = shared();
  for (const epoch of ["killed", "elsewhere"]) await store.heartbeat(epoch, 5_000);
  await store.create(saga({ gid: "left", owner: "killed:1", nextCronTime: clock.now() + 3_600_000 }));
  const node = await TestNode.started({ clock, store, name: "next", isGone: (epoch) => epoch === "killed" });
  await settle();
  expect(node.participants.urls).not.toEqual([]);
  expect(store.peek("left")?.transaction.owner).not.toMatch(/^killed/);
  expect(await store.liveEpochs()).toEqual(["elsewhere", "next.1"]);
  expect(node.logged).toContainEqual({
    level: "info",
    event: "its process is gone: declared dead",
    fields: { epoch: "killed" },
  });
});

test("a start that can't look for earlier processes goes on", async () => {
  const { clock, store } = shared();
  const node = new TestNode({ clock, store, isGone: () => true });
  node.watched.fail("liveEpochs", "before");
  await node.core.start();
  expect(node.logged).toContainEqual(expect.objectContaining({ level: "warn" }));
  expect(await store.liveEpochs()).toEqual(["node.1"]);
});

describe("readiness", () => {
  test("a beat that the store refuses makes the node unready until the next one succeeds", async () => {
    const { clock, store } = shared();
    const node = await TestNode.started({ clock, store });
    await expect(node.core.checkHeartbeat()).resolves.toBeUndefined();
    node.watched.fail("heartbeat", "before");
    await clock.advance(1_000);
    await expect(node.core.checkHeartbeat()).rejects.toThrow();
    await clock.advance(1_000);
    await expect(node.core.checkHeartbeat()).resolves.toBeUndefined();
  });

  test("so does one that isn't answered for a lease", async () => {
    const { clock, store } = shared();
    const node = await TestNode.started({ clock, store });
    const go = node.watched.block("heartbeat");
    await clock.advance(4_000);
    await expect(node.core.checkHeartbeat()).resolves.toBeUndefined();
    await clock.advance(2_000);
    await expect(node.core.checkHeartbeat()).rejects.toThrow("no heartbeat was confirmed for 6000 ms");
    go();
    await clock.advance(1_000);
    await expect(node.core.checkHeartbeat()).resolves.toBeUndefined();
  });

  test("a store of one server's own needs none", async () => {
    const node = await TestNode.started();
    node.watched.down = true;
    await node.clock.advance(10_000);
    await expect(node.core.checkHeartbeat()).resolves.toBeUndefined();
  });
});
