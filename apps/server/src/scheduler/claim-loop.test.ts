import { anInput, sends, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { TestNode } from "../../test/kit/test-node.js";
import { settle, VirtualClock } from "../engine/virtual-clock.js";
import { MemoryStore } from "../stores/memory/store.js";
import type { TransactionStore } from "../stores/store.js";

function counted(node: TestNode, method: "claimDue" | "ownedBy"): () => number {
  const spy = jest.spyOn(node.memory as TransactionStore, method);
  return () => spy.mock.calls.length;
}

/** Rests in back-off, due 20 s from now. */
async function resting(node: TestNode, gid: string): Promise<void> {
  node.participants.script(`/${gid}`, REPLIES.error, REPLIES.ok);
  await node.coordinator.submit(anInput("saga", gid, { steps: undoable(`/${gid}`) }));
  await settle();
}

test("what is due soon is claimed at its due time, not at the next regular look", async () => {
  const node = await TestNode.started({ settings: { transCronInterval: 50 } });
  await resting(node, "g");
  await node.clock.advance(19_999);
  expect(node.status("g")).toBe("submitted");
  await node.clock.advance(1);
  expect(node.status("g")).toBe("succeed");
  expect(node.lags).toEqual([0]);
});

test("what another process left due is found by the regular look", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ now: () => clock.now() });
  const first = await TestNode.started({ clock, store, name: "first" });
  const second = await TestNode.started({ clock, store, name: "second" });
  await resting(first, "g");
  await first.stop();
  await clock.advance(24_000);
  expect(second.participants.urls).toEqual(["/g"]);
  expect(second.status("g")).toBe("succeed");
});

test("what is due and can't be claimed, since somebody holds its row, is asked for ever less often", async () => {
  const node = await TestNode.started();
  const claims = jest
    .spyOn(node.memory as TransactionStore, "claimDue")
    .mockImplementation(async ({ now }) => ({ claimed: [], nextDue: now - 1 }));
  await node.clock.advance(60_000);
  expect(claims.mock.calls.length).toBeLessThan(40);
  claims.mockRestore();
  await resting(node, "g");
  await node.clock.advance(20_000);
  expect(node.lags).toEqual([0]);
});

test("what is due at the start is taken up at once", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ now: () => clock.now() });
  const first = await TestNode.started({ clock, store, name: "first" });
  await resting(first, "g");
  await first.stop();
  await clock.advance(60_000);
  const second = await TestNode.started({ clock, store, name: "second" });
  await settle();
  expect(second.status("g")).toBe("succeed");
  expect(second.lags).toEqual([40_000]);
});

test("two nodes: each due transaction is driven by one of them only", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ now: () => clock.now(), shared: true });
  const nodes = [await TestNode.started({ clock, store, name: "a" }), await TestNode.started({ clock, store, name: "b" })];
  const gids = Array.from({ length: 20 }, (_, i) => `g${i}`);
  for (const gid of gids) {
    for (const node of nodes) node.participants.script(`/${gid}`, { ...REPLIES.ok, afterMs: 500 });
    await nodes[0]?.coordinator.prepare(anInput("msg", gid, { steps: sends(`/${gid}`), options: { timeoutToFail: 10 } }));
  }
  await clock.advance(20_000);
  const called = nodes.flatMap((node) => node.participants.urls);
  expect([...called].sort()).toEqual(gids.map((gid) => `/${gid}`).sort());
});

test("more than a batch is claimed without waiting for the next look", async () => {
  const node = await TestNode.started();
  const gids = Array.from({ length: 600 }, (_, i) => `g${i}`);
  for (const gid of gids) await node.coordinator.prepare(anInput("msg", gid, { options: { timeoutToFail: 10 } }));
  await node.clock.advance(10_000);
  expect(gids.every((gid) => node.status(gid) === "succeed")).toBe(true);
});

test("no more is claimed than there is room for, and the rest as room comes (R17)", async () => {
  const node = await TestNode.started({ settings: { maxDriving: 3 } });
  const gids = Array.from({ length: 10 }, (_, i) => `g${i}`);
  node.participants.script("/a", { ...REPLIES.ok, afterMs: 1_000 });
  for (const gid of gids)
    await node.coordinator.prepare(anInput("msg", gid, { steps: sends("/a"), options: { timeoutToFail: 10 } }));
  await node.clock.advance(10_000);
  expect(node.participants.mostAtOnce).toBe(3);
  await node.clock.advance(4_000);
  expect(gids.every((gid) => node.status(gid) === "succeed")).toBe(true);
  expect(node.participants.mostAtOnce).toBe(3);
});

test("a claim under way keeps its places from submits (R17)", async () => {
  const node = await TestNode.started({ settings: { maxDriving: 3 } });
  node.participants.script("/a", { ...REPLIES.ok, afterMs: 1_000 });
  const gids = ["g1", "g2", "g3"];
  for (const gid of gids)
    await node.coordinator.prepare(anInput("msg", gid, { steps: sends("/a"), options: { timeoutToFail: 10 } }));
  const go = node.watched.block("claimDue");
  await node.clock.advance(10_000);
  for (const gid of ["s1", "s2"]) await node.coordinator.submit(anInput("msg", gid, { steps: sends("/a") }));
  go();
  await node.until(() => [...gids, "s1", "s2"].every((gid) => node.status(gid) === "succeed"));
  expect(node.participants.mostAtOnce).toBe(3);
});

test("aborting ones are claimed first", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ now: () => clock.now() });
  const first = await TestNode.started({ clock, store, name: "first" });
  await resting(first, "forward");
  first.participants.script("/bad", REPLIES.refuse);
  first.participants.script("/bad-undo", REPLIES.error);
  await first.coordinator.submit(anInput("saga", "back", { steps: undoable("/bad") }));
  await settle();
  await first.stop();
  await clock.advance(60_000);
  const second = await TestNode.started({ clock, store, name: "second", settings: { maxDriving: 1 } });
  await settle();
  expect(second.participants.urls).toEqual(["/bad-undo", "/forward"]);
});

test("an idle loop looks once per interval", async () => {
  const node = await TestNode.started();
  const claims = counted(node, "claimDue");
  await node.clock.advance(30_000);
  expect(claims()).toBe(10);
});

test("a stopped loop looks no more", async () => {
  const node = await TestNode.started();
  await resting(node, "g");
  await node.stop();
  const claims = counted(node, "claimDue");
  await node.clock.advance(60_000);
  expect(claims()).toBe(0);
  expect(node.status("g")).toBe("submitted");
});

test("a node that stops while it claims hands back what it got (R18)", async () => {
  const node = await TestNode.started();
  await resting(node, "g");
  const go = node.watched.block("claimDue");
  await node.clock.advance(20_000);
  const stopped = node.stop();
  go();
  await stopped;
  expect(node.participants.urls).toEqual(["/g"]);
  expect(node.rest("g")).toBe(0);
});

test("while the store is down a few claims are in doubt, not one more with every look", async () => {
  const node = await TestNode.started();
  await resting(node, "g");
  node.watched.down = true;
  const warned = (): number => node.logged.filter(({ event }) => event.startsWith("claim failed")).length;
  await node.clock.advance(600_000);
  expect(warned()).toBe(4);
  node.watched.down = false;
  await node.clock.advance(6_000);
  expect(node.status("g")).toBe("succeed");
});

test("a claim that can't be read back holds up no other one", async () => {
  const node = await TestNode.started();
  await resting(node, "g");
  node.watched.fail("claimDue", "before");
  node.watched.fail("ownedBy", ...Array<"before">(100).fill("before"));
  await node.clock.advance(20_000);
  expect(node.status("g")).toBe("succeed");
});

test("a nudged one passes an open breaker once (R13)", async () => {
  const node = await TestNode.started();
  node.core.destinations.begin("/g");
  await resting(node, "g");
  expect(node.participants.urls).toEqual([]);
  node.participants.script("/g", REPLIES.ok);
  await node.coordinator.resetNextCronTime("g");
  await settle();
  expect(node.status("g")).toBe("succeed");
});
