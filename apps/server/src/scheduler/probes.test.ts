import { anInput, sends, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { TestNode } from "../../test/kit/test-node.js";
import { settle } from "../engine/virtual-clock.js";

/** Twenty sagas meet a service that is down: the breaker opens. */
async function down(count = 20, url = "/down"): Promise<TestNode> {
  const node = await TestNode.started();
  node.participants.script(url, REPLIES.error);
  for (let i = 0; i < count; i++) await node.coordinator.submit(anInput("saga", `g${i}`, { steps: undoable(url) }));
  await settle();
  expect(node.core.destinations.isOpen(url)).toBe(true);
  return node;
}

const callsSince = (node: TestNode, from: number): number[] =>
  node.participants.calls.slice(from).map(({ at }) => (at - node.stored("g0").transaction.createTime) / 1000);

const statuses = (node: TestNode, count: number): string[] => Array.from({ length: count }, (_, i) => node.status(`g${i}`));

test("while it is open one waiting transaction probes each second in the first minute, every 10 s later (R13)", async () => {
  const node = await down();
  const before = node.participants.calls.length;
  await node.clock.advance(120_000);
  const times = callsSince(node, before);
  expect(times.slice(0, 5)).toEqual([0, 1, 2, 3, 4]);
  expect(times.filter((at) => at < 60)).toHaveLength(60);
  expect(times.filter((at) => at >= 61)).toHaveLength(6);
});

test("a probe is no attempt: nothing doubles, no alert, no retry_limit", async () => {
  const node = await down();
  await node.clock.advance(600_000);
  const attempts = Array.from({ length: 20 }, (_, i) => node.stored(`g${i}`).transaction);
  expect(attempts.every((transaction) => transaction.attempts <= 1 && transaction.nextCronInterval <= 20)).toBe(true);
  expect(node.alerts).toEqual([]);
  expect(statuses(node, 20).every((status) => status === "submitted")).toBe(true);
});

test("a probe that is answered wakes all that wait", async () => {
  const node = await down(40);
  await node.clock.advance(100_000);
  node.participants.script("/down", REPLIES.ok);
  await node.clock.advance(11_000);
  expect(statuses(node, 40).every((status) => status === "succeed")).toBe(true);
});

test("in growing chunks, so that it isn't drowned at once", async () => {
  const node = await down(300);
  await node.clock.advance(5_000);
  node.participants.script("/down", REPLIES.ok);
  const woken = jest.spyOn(node.memory, "wakeWaiting");
  await node.clock.advance(2_000);
  expect(woken.mock.calls.map(([, limit]) => limit)).toEqual([32, 64, 128, 256]);
  expect(statuses(node, 300).every((status) => status === "succeed")).toBe(true);
});

test.each(["is answered", "fails"])(
  "a breaker that opens again while a wake-up is written is probed on, when the write %s",
  async (end) => {
    const node = await down(100);
    await node.clock.advance(5_000);
    const go = node.watched.block("wakeWaiting");
    node.participants.script("/down", REPLIES.ok);
    await node.until(() => !node.core.destinations.isOpen("/down"), 5_000);
    node.participants.script("/down", REPLIES.error);
    for (let i = 100; i < 125; i++) await node.coordinator.submit(anInput("saga", `g${i}`, { steps: undoable("/down") }));
    await settle();
    expect(node.core.destinations.isOpen("/down")).toBe(true);
    await node.clock.advance(10);
    if (end === "fails") node.watched.fail("wakeWaiting", "before");
    go();
    await node.clock.advance(5_000);
    node.participants.script("/down", REPLIES.ok);
    await node.clock.advance(120_000);
    expect(statuses(node, 125).filter((status) => status !== "succeed")).toEqual([]);
  },
);

test("twenty transactions that fail for their own data don't close a destination that answers all others", async () => {
  const node = await TestNode.started();
  node.participants.script("/poison", REPLIES.error);
  for (let i = 0; i < 30; i++) {
    await node.coordinator.submit(anInput("saga", `g${i}`, { steps: undoable("/poison") }));
    node.core.destinations.close("/poison");
    await node.clock.advance(1_000);
  }
  for (let minute = 0; minute < 5; minute++) {
    await node.clock.advance(60_000);
    node.core.destinations.close("/poison");
  }
  expect(node.stored("g0").transaction.attempts).toBeGreaterThanOrEqual(3);
  await node.clock.advance(3_600_000);
  expect(node.core.destinations.isOpen("/poison")).toBe(false);
});

test("FAILURE is an answer too", async () => {
  const node = await down();
  node.participants.script("/down", REPLIES.refuse);
  await node.clock.advance(3_000);
  expect(node.core.destinations.isOpen("/down")).toBe(false);
  expect(statuses(node, 20).every((status) => status === "failed")).toBe(true);
});

test("new work for it rests without a call, as no attempt, and goes on with the others", async () => {
  const node = await down();
  const before = node.participants.calls.length;
  await node.coordinator.submit(anInput("msg", "new", { steps: sends("/down") }));
  await settle();
  expect(node.participants.calls.slice(before).map(({ gid }) => gid)).not.toContain("new");
  expect(node.stored("new").transaction).toMatchObject({ attempts: 0, waitingOn: "/down", nextCronInterval: 10 });
  node.participants.script("/down", REPLIES.ok);
  await node.clock.advance(3_000);
  expect(node.status("new")).toBe("succeed");
});

test("a deferral written after the wake-up had passed doesn't sleep until its own clock", async () => {
  const node = await down();
  const go = node.watched.block("rest");
  await node.coordinator.submit(anInput("msg", "late", { steps: sends("/down") }));
  await settle();
  node.participants.script("/down", REPLIES.ok);
  await node.coordinator.resetNextCronTime("g3");
  await node.until(() => !node.core.destinations.isOpen("/down"), 5_000);
  await node.clock.advance(500);
  go();
  await node.until(() => node.status("late") === "succeed", 2_000);
});

test("when nobody waits any more the breaker closes: the next caller finds out", async () => {
  const node = await down();
  for (let i = 0; i < 20; i++) await node.coordinator.forceStop(`g${i}`, "");
  await node.clock.advance(5_000);
  expect(node.core.destinations.isOpen("/down")).toBe(false);
  const before = node.participants.calls.length;
  await node.coordinator.submit(anInput("msg", "next", { steps: sends("/down") }));
  await settle();
  expect(node.participants.calls.slice(before).map(({ gid }) => gid)).toEqual(["next"]);
});

test("a destination with twenty waiting rows begins open after a restart, and is probed", async () => {
  const node = await down();
  await node.clock.advance(3_000);
  await node.stop();
  const next = new TestNode({ clock: node.clock, store: node.memory, name: "next" });
  next.participants.script("/down", REPLIES.error);
  await next.core.start();
  await settle();
  expect(next.core.destinations.isOpen("/down")).toBe(true);
  await next.clock.advance(2_000);
  expect(next.participants.calls.length).toBeLessThanOrEqual(3);
  next.participants.script("/down", REPLIES.ok);
  await next.clock.advance(2_000);
  expect(statuses(next, 20).every((status) => status === "succeed")).toBe(true);
});

test("nineteen don't: they just come back at their own time", async () => {
  const node = await TestNode.started();
  node.participants.script("/down", REPLIES.error);
  for (let i = 0; i < 19; i++) await node.coordinator.submit(anInput("saga", `g${i}`, { steps: undoable("/down") }));
  await settle();
  await node.stop();
  const next = await TestNode.started({ clock: node.clock, store: node.memory, name: "next" });
  expect(next.core.destinations.isOpen("/down")).toBe(false);
});

test("a stuck destination holds up nobody else (promise 5)", async () => {
  const node = await down();
  await node.coordinator.submit(anInput("saga", "free", { steps: undoable("/up") }));
  await settle();
  expect(node.status("free")).toBe("succeed");
});
