import { anInput, aRegistration, sends, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { type Hearing, hearing, TestNode } from "../../test/kit/test-node.js";
import { MemoryStore } from "../stores/memory/store.js";
import { settle, VirtualClock } from "./virtual-clock.js";
import { NOTICE } from "./waiting.js";

const SUCCESS = { kind: "success" } as const;
const NOT_YET = "WAIT_NOT_SUCCESS wait result not return success: FAILURE";

const waiting = (node: TestNode, ...[type, gid, fields]: Parameters<typeof anInput>): Hearing =>
  hearing(node.coordinator.submit(anInput(type, gid, { ...fields, options: { ...fields?.options, waitResult: true } })));

describe("a waiting caller is answered at the first of (R11)", () => {
  test("the durable end", async () => {
    const node = await TestNode.started();
    const go = node.watched.block("move");
    const caller = waiting(node, "saga", "g", { steps: undoable("/a") });
    await settle();
    expect(node.participants.urls).toEqual(["/a"]);
    expect(caller.heard).toBeNull();
    go();
    await settle();
    expect(caller.heard).toBe("ok");
  });

  test("the durable end of the way back, with the reason", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.refuse);
    const caller = waiting(node, "saga", "g", { steps: undoable("/a") });
    await settle();
    expect(caller.heard).toBe("ROLLED_BACK url:/a return failed: no stock FAILURE");
    expect(node.status("g")).toBe("failed");
  });

  test("the first durable rest", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.ongoing);
    const go = node.watched.block("rest");
    const caller = waiting(node, "saga", "g", { steps: undoable("/a") });
    await settle();
    expect(caller.heard).toBeNull();
    go();
    await settle();
    expect(caller.heard).toBe(NOT_YET);
  });

  test.each([
    ["its own request timeout + 2 s", { requestTimeout: 10 }, 12_000],
    ["never less than the server's request timeout + 2 s", { requestTimeout: 1 }, 5_000],
    ["the server's request timeout + 2 s", {}, 5_000],
  ])("%s", async (_name, options, patience) => {
    const node = await TestNode.started();
    for (const url of ["/a", "/b", "/c", "/d", "/e", "/f", "/g"]) node.participants.script(url, { ...REPLIES.ok, afterMs: 950 });
    for (const url of ["/h", "/i"]) node.participants.script(url, { ...REPLIES.ok, afterMs: 9_000 });
    const urls = patience > 5_000 ? ["/h", "/i"] : ["/a", "/b", "/c", "/d", "/e", "/f", "/g"];
    const caller = waiting(node, "saga", "g", { steps: undoable(...urls), options });
    await node.clock.advance(patience - 1);
    expect(caller.heard).toBeNull();
    await node.clock.advance(1);
    expect(caller.heard).toBe(NOT_YET);
  });

  test("nothing is cancelled when the caller's time is up", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", { ...REPLIES.ok, afterMs: 2_900 });
    node.participants.script("/b", { ...REPLIES.ok, afterMs: 2_900 });
    const caller = waiting(node, "saga", "g", { steps: undoable("/a", "/b") });
    await node.clock.advance(5_000);
    expect(caller.heard).toBe(NOT_YET);
    await node.clock.advance(800);
    expect(node.status("g")).toBe("succeed");
  });

  test("a branch that fails a tcc's submit speaks through", async () => {
    const node = await TestNode.started();
    node.participants.script("/yes", REPLIES.error);
    await node.coordinator.prepare(anInput("tcc", "g"));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    const caller = waiting(node, "tcc", "g");
    await settle();
    expect(caller.heard).toBe(`BRANCH_ERROR ${NOTICE}oops`);
  });

  test("of a concurrent msg's branches the error, not the one that is only ongoing", async () => {
    const node = await TestNode.started();
    node.participants.script("/down", REPLIES.error);
    node.participants.script("/busy", { ...REPLIES.ongoing, afterMs: 10 });
    const caller = waiting(node, "msg", "g", { steps: sends("/down", "/busy"), options: { concurrent: true } });
    await node.clock.advance(10);
    expect(caller.heard).toBe(`BRANCH_ERROR ${NOTICE}oops`);
  });

  test("an abort waits when its prepare said so", async () => {
    const node = await TestNode.started();
    node.participants.script("/no", REPLIES.ongoing);
    await node.coordinator.prepare(anInput("tcc", "g", { options: { waitResult: true } }));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    const caller = hearing(node.coordinator.abort(anInput("tcc", "g")));
    await settle();
    expect(caller.heard).toBe("BRANCH_ONGOING ONGOING");
  });
});

describe("when another node drives, the request watches the store (R11)", () => {
  async function twoNodes(): Promise<{ mine: TestNode; other: TestNode; clock: VirtualClock }> {
    const clock = new VirtualClock();
    const store = new MemoryStore({ now: () => clock.now(), shared: true });
    const mine = await TestNode.started({ clock, store, name: "mine" });
    const other = await TestNode.started({ clock, store, name: "other" });
    return { mine, other, clock };
  }

  test("and hears the end", async () => {
    const { mine, other, clock } = await twoNodes();
    other.participants.hold("/a");
    await other.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    const caller = waiting(mine, "saga", "g", { steps: undoable("/a") });
    await clock.advance(1_000);
    expect(caller.heard).toBeNull();
    other.participants.inFlight("/a").answer(SUCCESS);
    await clock.advance(500);
    expect(caller.heard).toBe("ok");
    expect(mine.participants.urls).toEqual([]);
  });

  test("for as long as for its own", async () => {
    const { mine, other, clock } = await twoNodes();
    other.participants.hold("/a");
    await other.coordinator.submit(anInput("saga", "g", { steps: undoable("/a"), options: { requestTimeout: 100 } }));
    const caller = waiting(mine, "saga", "g", { steps: undoable("/a") });
    await clock.advance(4_900);
    expect(caller.heard).toBeNull();
    await clock.advance(300);
    expect(caller.heard).toBe(NOT_YET);
  });

  test("also when this node's lease went to another under way", async () => {
    const { mine, other, clock } = await twoNodes();
    mine.participants.hold("/a");
    other.participants.hold("/a");
    const caller = waiting(mine, "saga", "g", { steps: undoable("/a"), options: { requestTimeout: 60 } });
    await settle();
    mine.watched.block("heartbeat");
    mine.core.engine.epochDied();
    await mine.memory.retire("mine.1");
    await clock.advance(6_000);
    other.participants.inFlight("/a").answer(SUCCESS);
    await clock.advance(1_000);
    expect(caller.heard).toBe("ok");
  });

  test("and hears at once that this server stops", async () => {
    const { mine, other, clock } = await twoNodes();
    other.participants.hold("/a");
    await other.coordinator.submit(anInput("saga", "g", { steps: undoable("/a"), options: { requestTimeout: 60 } }));
    const caller = waiting(mine, "saga", "g", { steps: undoable("/a") });
    await clock.advance(100);
    await mine.stop();
    await clock.advance(300);
    expect(caller.heard).toBe("UNAVAILABLE the server is stopping; the transaction goes on");
  });
});

describe("admission (R17)", () => {
  test("above maxDriving a submit is stored, unowned and due, and claimed as slots free", async () => {
    const node = await TestNode.started({ settings: { maxDriving: 2 } });
    node.participants.hold("/a");
    for (const gid of ["1", "2", "3"]) await node.coordinator.submit(anInput("saga", gid, { steps: undoable("/a") }));
    await settle();
    expect(node.participants.calls.map(({ gid }) => gid)).toEqual(["1", "2"]);
    expect(node.rest("3")).toBe(0);
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(node.participants.calls.map(({ gid }) => gid)).toEqual(["1", "2", "3"]);
  });

  test("a burst in one tick doesn't get past it", async () => {
    const node = await TestNode.started({ settings: { maxDriving: 2 } });
    node.participants.hold("/a");
    const gids = Array.from({ length: 50 }, (_, i) => `g${i}`);
    await Promise.all(gids.map((gid) => node.coordinator.submit(anInput("saga", gid, { steps: undoable("/a") }))));
    await settle();
    expect(node.core.engine.driving).toBe(2);
    expect(node.participants.mostAtOnce).toBe(2);
  });

  test("a burst of submits whose replies are slow leaves no place taken", async () => {
    const node = await TestNode.started({ settings: { maxDriving: 2 } });
    const go = node.watched.block("submit");
    const gids = Array.from({ length: 10 }, (_, i) => `g${i}`);
    const submits = gids.map((gid) => node.coordinator.submit(anInput("saga", gid, { steps: undoable("/a") })));
    await settle();
    go();
    await Promise.all(submits);
    await node.until(() => gids.every((gid) => node.status(gid) === "succeed"));
    expect(node.core.engine.driving).toBe(0);
    expect(node.core.engine.room()).toBe(2);
  });

  test("a waiting caller above it is answered by the drive that comes later", async () => {
    const node = await TestNode.started({ settings: { maxDriving: 1 } });
    node.participants.script("/slow", { ...REPLIES.ok, afterMs: 1_000 });
    await node.coordinator.submit(anInput("saga", "1", { steps: undoable("/slow") }));
    const caller = waiting(node, "saga", "2", { steps: undoable("/b") });
    await node.until(() => caller.heard !== null);
    expect(caller.heard).toBe("ok");
  });
});

describe("a graceful stop (R18)", () => {
  async function underway(): Promise<TestNode> {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b") }));
    await settle();
    return node;
  }

  test("waits for the call in flight, then hands back at once due, with its result", async () => {
    const node = await underway();
    const stopped = hearing(node.stop());
    await node.clock.advance(1_000);
    expect(stopped.heard).toBeNull();
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(stopped.heard).toBe("ok");
    expect(node.participants.urls).toEqual(["/a"]);
    expect(node.rows("g")[1]).toBe("01 action succeed");
    expect(node.rest("g")).toBe(0);
    expect(node.stored("g").transaction).toMatchObject({ attempts: 0, nextCronInterval: 10, waitingOn: "" });
  });

  test("after the grace it hands over, due when the call has surely ended", async () => {
    const node = await underway();
    const deadline = new AbortController();
    await node.clock.advance(1_000);
    const stopped = hearing(node.stop(deadline.signal));
    await settle();
    deadline.abort();
    await settle();
    expect(stopped.heard).toBe("ok");
    expect(node.rest("g")).toBe(2);
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(node.rows("g")[1]).toBe("01 action prepared");
  });

  test("what ends with its last call still ends", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await settle();
    const stopped = hearing(node.stop());
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(stopped.heard).toBe("ok");
    expect(node.status("g")).toBe("succeed");
  });

  test("new work is refused, forceStop and questions are not", async () => {
    const node = await underway();
    node.core.beginStop();
    const { coordinator } = node;
    const unavailable = { code: "UNAVAILABLE" };
    await expect(coordinator.submit(anInput("saga", "n", { steps: undoable("/a") }))).rejects.toMatchObject(unavailable);
    await expect(coordinator.prepare(anInput("tcc", "n"))).rejects.toMatchObject(unavailable);
    await expect(coordinator.abort(anInput("tcc", "n"))).rejects.toMatchObject(unavailable);
    await expect(coordinator.registerBranch(aRegistration("tcc", "n", "01"))).rejects.toMatchObject(unavailable);
    await expect(coordinator.prepareWorkflow(anInput("workflow", "n"))).rejects.toMatchObject(unavailable);
    expect((await coordinator.query("g"))?.transaction.status).toBe("submitted");
    await coordinator.forceStop("g", "");
    expect(node.status("g")).toBe("failed");
  });

  test("a waiting caller hears 503: the transaction goes on", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    const caller = waiting(node, "saga", "g", { steps: undoable("/a", "/b") });
    await settle();
    node.core.beginStop();
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(caller.heard).toBe("UNAVAILABLE the server is stopping; the transaction goes on");
  });

  test("a call that waits for a slot is not sent any more", async () => {
    const node = await TestNode.started({ settings: { destinationLimit: 1 } });
    node.participants.hold("/a");
    await node.coordinator.submit(anInput("saga", "1", { steps: undoable("/a") }));
    await node.coordinator.submit(anInput("saga", "2", { steps: undoable("/a") }));
    await settle();
    const stopped = hearing(node.stop());
    node.participants.inFlight("/a").answer(SUCCESS);
    await node.clock.advance(1_000);
    expect(stopped.heard).toBe("ok");
    expect(node.participants.calls.map(({ gid }) => gid)).toEqual(["1"]);
    expect(node.stored("2").transaction).toMatchObject({ status: "submitted", owner: "", attempts: 0 });
  });

  test("the next process goes on where it was left", async () => {
    const node = await underway();
    const stopped = node.stop();
    node.participants.inFlight("/a").answer(SUCCESS);
    await stopped;
    const next = await TestNode.started({ clock: node.clock, store: node.memory, name: "next" });
    await settle();
    expect(next.participants.urls).toEqual(["/b"]);
    expect(next.status("g")).toBe("succeed");
  });
});
