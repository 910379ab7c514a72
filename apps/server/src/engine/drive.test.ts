import { anInput, aRegistration, sends, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { hearing, TestNode } from "../../test/kit/test-node.js";
import { settle } from "./virtual-clock.js";

const CONCURRENT = '{"concurrent":true}';
const SUCCESS = { kind: "success" } as const;
const FAILURE = { kind: "failure", reason: "no stock" } as const;
const ERROR = { kind: "unknown", message: "reset" } as const;

async function submitted(node: TestNode, ...[type, gid, fields]: Parameters<typeof anInput>): Promise<void> {
  await node.coordinator.submit(anInput(type, gid, fields));
  await settle();
}

describe("fences (R1, R5)", () => {
  test("a driver that lost its lease writes nothing over the new owner's, and its answers are dropped", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    const { transaction, branches } = node.stored("g");
    const stolen = { transaction: { ...transaction, gid: "other", owner: "node:thief" }, branches };
    const theft = jest.spyOn(node.memory, "move").mockResolvedValueOnce({ kind: "refused", current: stolen });
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(theft).toHaveBeenCalledTimes(1);
    expect(node.status("g")).toBe("submitted");
    expect(node.rows("g")).toEqual(["01 compensate prepared", "01 action prepared"]);
    expect(node.core.engine.driving).toBe(0);
  });

  test("forceStop ends it while a call is out: nothing more is called, the answer is dropped", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await submitted(node, "saga", "g", { steps: undoable("/a", "/b") });
    await node.coordinator.forceStop("g", "by hand");
    node.participants.inFlight("/a").answer(SUCCESS);
    await node.clock.advance(60_000);
    expect(node.participants.urls).toEqual(["/a"]);
    expect(node.stored("g").transaction).toMatchObject({ status: "failed", rollbackReason: "by hand", owner: "" });
    expect(node.rows("g")).toEqual([
      "01 compensate prepared",
      "01 action prepared",
      "02 compensate prepared",
      "02 action prepared",
    ]);
  });

  test("a waiting caller of what is stopped by force hears that it failed, with the reason", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    const caller = hearing(
      node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a"), options: { waitResult: true } })),
    );
    await settle();
    await node.coordinator.forceStop("g", "by hand");
    await node.until(() => caller.heard !== null);
    expect(caller.heard).toBe("ROLLED_BACK by hand FAILURE");
  });

  test("and where nobody gave a reason, it says at least that it didn't succeed", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    const caller = hearing(
      node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a"), options: { waitResult: true } })),
    );
    await settle();
    await node.coordinator.forceStop("g", "");
    await node.until(() => caller.heard !== null);
    expect(caller.heard).toBe("ROLLED_BACK wait result not return success: FAILURE");
  });

  test("the reason names the address without its password", async () => {
    const node = await TestNode.started();
    node.participants.script("http://me:secret@shop/a", REPLIES.refuse);
    await submitted(node, "saga", "g", { steps: undoable("http://me:secret@shop/a") });
    expect(node.stored("g").transaction.rollbackReason).toBe("url:http://shop/a return failed: no stock FAILURE");
  });

  test("the first rollback reason stays", async () => {
    const node = await TestNode.started();
    node.participants.script("/b", REPLIES.refuse);
    node.participants.script("/b-undo", REPLIES.error);
    await submitted(node, "saga", "g", { steps: undoable("/a", "/b") });
    await node.coordinator.forceStop("g", "by hand");
    expect(node.stored("g").transaction.rollbackReason).toBe("url:/b return failed: no stock FAILURE");
  });
});

describe("a nudge (R4)", () => {
  test("while the driver writes its rest: it drives again instead of sleeping over it", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error, REPLIES.ok);
    const go = node.watched.block("rest");
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    expect(node.participants.urls).toEqual(["/a"]);
    await node.coordinator.resetNextCronTime("g");
    go();
    await settle();
    expect(node.participants.urls).toEqual(["/a", "/a"]);
    expect(node.status("g")).toBe("succeed");
  });

  test("during a call is remembered: the failing drive looks once more at once", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    await node.coordinator.resetNextCronTime("g");
    node.participants.inFlight("/a").answer(ERROR);
    await settle();
    node.participants.inFlight("/a").answer(SUCCESS);
    await settle();
    expect(node.status("g")).toBe("succeed");
    expect(node.clock.now()).toBe(node.stored("g").transaction.createTime);
  });

  test("wakes what rests in back-off at once", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error, REPLIES.ok);
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    expect(node.rest("g")).toBe(20);
    await node.coordinator.resetNextCronTime("g");
    await settle();
    expect(node.status("g")).toBe("succeed");
  });

  test("doesn't shorten a delay (R8)", async () => {
    const node = await TestNode.started();
    await submitted(node, "msg", "g", { steps: sends("/a"), customData: '{"delay":60}' });
    await node.clock.advance(10_000);
    await node.coordinator.resetNextCronTime("g");
    await node.clock.advance(1_000);
    expect(node.participants.urls).toEqual([]);
    expect(node.rest("g")).toBe(49);
  });
});

describe("the callback of a msg in flight", () => {
  async function asked(): Promise<TestNode> {
    const node = await TestNode.started();
    node.participants.hold("/query");
    await node.coordinator.prepare(anInput("msg", "g", { steps: sends("/a"), queryPrepared: "/query" }));
    await node.until(() => node.participants.urls.includes("/query"));
    return node;
  }

  test("submit wins: the callback's refusal is dropped and the msg is delivered", async () => {
    const node = await asked();
    await node.coordinator.submit(anInput("msg", "g", { steps: sends("/ignored") }));
    node.participants.inFlight("/query").answer(FAILURE);
    await settle();
    expect(node.participants.urls).toEqual(["/query", "/a"]);
    expect(node.status("g")).toBe("succeed");
  });

  test("submit wins: its success is no second submit", async () => {
    const node = await asked();
    await node.coordinator.submit(anInput("msg", "g", { customData: '{"delay":30}' }));
    node.participants.inFlight("/query").answer(SUCCESS);
    await settle();
    expect(node.participants.urls).toEqual(["/query"]);
    expect(node.rest("g")).toBe(30);
  });

  test("abort wins: nothing is delivered", async () => {
    const node = await asked();
    await node.coordinator.abort(anInput("msg", "g"));
    node.participants.inFlight("/query").answer(SUCCESS);
    await node.clock.advance(60_000);
    expect(node.participants.urls).toEqual(["/query"]);
    expect(node.status("g")).toBe("failed");
  });

  test("the callback wins: a submit that comes later is a duplicate, an abort a conflict", async () => {
    const node = await asked();
    node.participants.hold("/a");
    node.participants.inFlight("/query").answer(SUCCESS);
    await settle();
    await node.coordinator.submit(anInput("msg", "g"));
    await expect(node.coordinator.abort(anInput("msg", "g"))).rejects.toMatchObject({ code: "STATUS_CONFLICT" });
    node.participants.inFlight("/a").answer(SUCCESS);
    await node.until(() => node.status("g") === "succeed");
  });
});

describe("a caller's change beside the driver (R5)", () => {
  test("an abort while the timeout's own move is under way: aborted once, and driven on", async () => {
    const node = await TestNode.started();
    await node.coordinator.prepare(anInput("tcc", "g", { options: { timeoutToFail: 5 } }));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    const go = node.watched.block("move");
    await node.until(() => node.watched.writes.includes("move"));
    await node.coordinator.abort(anInput("tcc", "g", { rollbackReason: "the client says so" }));
    go();
    await settle();
    expect(node.participants.urls).toEqual(["/no"]);
    expect(node.stored("g").transaction).toMatchObject({ status: "failed", rollbackReason: "the client says so" });
  });

  test("a branch registered beside the timeout is cancelled with the others", async () => {
    const node = await TestNode.started();
    await node.coordinator.prepare(anInput("tcc", "g", { options: { timeoutToFail: 5 } }));
    const go = node.watched.block("move");
    await node.until(() => node.watched.writes.includes("move"));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    go();
    await settle();
    expect(node.participants.urls).toEqual(["/no"]);
    expect(node.status("g")).toBe("failed");
  });
});

describe("in flight when the saga turns (R10)", () => {
  test("a compensation waits for its own action's answer, the others don't", async () => {
    const node = await TestNode.started();
    node.participants.hold("/slow");
    node.participants.script("/bad", REPLIES.refuse);
    await submitted(node, "saga", "g", { steps: undoable("/slow", "/bad"), customData: CONCURRENT });
    expect(node.participants.urls).toEqual(["/slow", "/bad", "/bad-undo"]);
    node.participants.inFlight("/slow").answer(SUCCESS);
    await settle();
    expect(node.participants.urls).toEqual(["/slow", "/bad", "/bad-undo", "/slow-undo"]);
    expect(node.status("g")).toBe("failed");
  });

  test("the late answer is logged, not recorded", async () => {
    const node = await TestNode.started();
    node.participants.hold("/slow");
    node.participants.script("/bad", REPLIES.refuse);
    await submitted(node, "saga", "g", { steps: undoable("/slow", "/bad"), customData: CONCURRENT });
    node.participants.inFlight("/slow").answer(SUCCESS);
    await settle();
    expect(node.rows("g")).toEqual(["01 compensate succeed", "01 action prepared", "02 compensate succeed", "02 action failed"]);
    expect(node.logged).toContainEqual(
      expect.objectContaining({ event: "late answer", fields: expect.objectContaining({ branch: "01", outcome: "success" }) }),
    );
  });

  test("a saga that times out in flight waits for the request's own timeout at most", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.hang);
    await submitted(node, "saga", "g", { steps: undoable("/a"), options: { timeoutToFail: 1, requestTimeout: 5 } });
    await node.clock.advance(4_999);
    expect(node.status("g")).toBe("aborting");
    expect(node.participants.urls).toEqual(["/a"]);
    await node.clock.advance(1);
    expect(node.participants.urls).toEqual(["/a", "/a-undo"]);
    expect(node.stored("g").transaction).toMatchObject({ status: "failed", rollbackReason: "Timeout after 1 seconds" });
  });

  test("a saga's timeout counts from its submit, not from its prepare (protocol.md 1.6)", async () => {
    const node = await TestNode.started();
    await node.coordinator.prepare(anInput("saga", "g", { steps: undoable("/a") }));
    await node.clock.advance(9_000);
    await submitted(node, "saga", "g", { steps: undoable("/a"), options: { timeoutToFail: 7 } });
    await node.until(() => node.status("g") === "succeed");
    expect(node.participants.urls).toEqual(["/a"]);
  });

  test("an action that waited for a slot when the saga turned is neither sent nor undone", async () => {
    const node = await TestNode.started({ settings: { destinationLimit: 1 } });
    node.participants.hold("/shared");
    node.participants.script("/bad", { ...REPLIES.refuse, afterMs: 100 });
    await submitted(node, "saga", "holder", { steps: undoable("/shared") });
    await submitted(node, "saga", "g", {
      steps: [
        { action: "/shared", compensate: "/mine-undo" },
        { action: "/bad", compensate: "/bad-undo" },
      ],
      customData: CONCURRENT,
    });
    await node.clock.advance(200);
    node.participants.inFlight("/shared").answer(SUCCESS);
    await node.until(() => node.status("g") === "failed");
    expect(node.participants.calls.filter(({ gid }) => gid === "g").map(({ url }) => url)).toEqual(["/bad", "/bad-undo"]);
  });

  test("an action that gets its slot while the turn is being written is neither sent nor undone", async () => {
    const node = await TestNode.started({ settings: { destinationLimit: 1 } });
    node.participants.hold("/shared");
    node.participants.script("/bad", { ...REPLIES.refuse, afterMs: 100 });
    await submitted(node, "saga", "holder", { steps: undoable("/shared") });
    await submitted(node, "saga", "g", {
      steps: [
        { action: "/shared", compensate: "/mine-undo" },
        { action: "/bad", compensate: "/bad-undo" },
      ],
      customData: CONCURRENT,
    });
    const written = node.watched.block("move");
    await node.clock.advance(200);
    node.participants.inFlight("/shared").answer(SUCCESS);
    await settle();
    written();
    await node.until(() => node.status("g") === "failed");
    expect(node.participants.calls.filter(({ gid }) => gid === "g").map(({ url }) => url)).toEqual(["/bad", "/bad-undo"]);
  });

  test("an action that found no slot at all is not undone either", async () => {
    const node = await TestNode.started({ settings: { destinationLimit: 1 } });
    node.participants.hold("/shared");
    node.participants.script("/bad", { ...REPLIES.refuse, afterMs: 2_000 });
    await submitted(node, "saga", "holder", { steps: undoable("/shared") });
    await submitted(node, "saga", "g", {
      steps: [
        { action: "/shared", compensate: "/mine-undo" },
        { action: "/bad", compensate: "/bad-undo" },
      ],
      customData: CONCURRENT,
    });
    await node.until(() => node.status("g") === "failed");
    expect(node.participants.calls.filter(({ gid }) => gid === "g").map(({ url }) => url)).toEqual(["/bad", "/bad-undo"]);
  });
});

describe("the alert (protocol.md 4.9)", () => {
  test("one for each branch that failed in the drive, with the same count; the waiting caller hears of the first", async () => {
    const node = await TestNode.started({ settings: { alertRetryLimit: 1 } });
    node.participants.script("/down", REPLIES.error);
    node.participants.script("/busy", REPLIES.ongoing);
    node.participants.script("/out", { outcome: { kind: "failure", reason: "no paper" } });
    const steps = sends("/busy", "/down", "/ok", "/out");
    const caller = hearing(
      node.coordinator.submit(anInput("msg", "g", { steps, options: { concurrent: true, waitResult: true } })),
    );
    await settle();
    expect(node.alerts).toEqual([
      { gid: "g", status: "submitted", branch: "/down", error: "oops", retryCount: 1 },
      { gid: "g", status: "submitted", branch: "/out", error: "no paper FAILURE", retryCount: 1 },
    ]);
    expect(caller.heard).toMatch(/^BRANCH_ERROR .*oops$/s);
  });

  test("on the third failing drive in a row, and on each after it", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error);
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    await node.until(() => node.participants.calls.length === 2);
    expect(node.alerts).toEqual([]);
    await node.until(() => node.participants.calls.length === 4);
    expect(node.alerts).toEqual([
      { gid: "g", status: "submitted", branch: "/a", error: "oops", retryCount: 3 },
      { gid: "g", status: "submitted", branch: "/a", error: "oops", retryCount: 4 },
    ]);
  });

  test("names a refused compensation and its reason", async () => {
    const node = await TestNode.started({ settings: { alertRetryLimit: 1 } });
    node.participants.script("/a", REPLIES.refuse);
    node.participants.script("/a-undo", REPLIES.refuse, REPLIES.ok);
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    expect(node.alerts).toEqual([{ gid: "g", status: "aborting", branch: "/a-undo", error: "no stock FAILURE", retryCount: 1 }]);
  });

  test("names the branch in trouble, not one that is only ongoing", async () => {
    const node = await TestNode.started({ settings: { alertRetryLimit: 1 } });
    node.participants.script("/down", REPLIES.error);
    node.participants.script("/busy", { ...REPLIES.ongoing, afterMs: 10 });
    await submitted(node, "msg", "g", { steps: sends("/down", "/busy"), options: { concurrent: true } });
    await node.clock.advance(100);
    expect(node.alerts.map(({ branch }) => branch)).toEqual(["/down"]);
  });

  test("not for the callback of a prepared msg, and not for ongoing", async () => {
    const node = await TestNode.started({ settings: { alertRetryLimit: 1 } });
    node.participants.script("/query", REPLIES.error);
    node.participants.script("/busy", REPLIES.ongoing);
    await node.coordinator.prepare(anInput("msg", "asked", { steps: sends("/a"), queryPrepared: "/query" }));
    await submitted(node, "msg", "busy", { steps: sends("/busy") });
    await node.until(() => node.participants.urls.filter((url) => url === "/query").length === 3);
    expect(node.alerts).toEqual([]);
  });
});

describe("Retry-After and waiting_on", () => {
  test("the longest Retry-After of the drive lengthens the rest", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", { outcome: { kind: "unknown", message: "busy", retryAfterMs: 90_000 } });
    await submitted(node, "saga", "g", { steps: undoable("/a") });
    expect(node.rest("g")).toBe(90);
  });

  test("a rest names the destination of the temporary error, ongoing names none (R13)", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error);
    node.participants.script("/b", REPLIES.ongoing);
    await submitted(node, "saga", "error", { steps: undoable("/a") });
    await submitted(node, "saga", "ongoing", { steps: undoable("/b") });
    expect(node.stored("error").transaction.waitingOn).toBe("/a");
    expect(node.stored("ongoing").transaction.waitingOn).toBe("");
  });

  test("what an action met before the saga turned is not what it waits for", async () => {
    const node = await TestNode.started();
    node.participants.script("/down", REPLIES.error);
    node.participants.script("/bad", { ...REPLIES.refuse, afterMs: 10 });
    node.participants.script("/bad-undo", REPLIES.refuse);
    await submitted(node, "saga", "g", { steps: undoable("/down", "/bad"), customData: CONCURRENT });
    await node.clock.advance(100);
    expect(node.status("g")).toBe("aborting");
    expect(node.stored("g").transaction.waitingOn).toBe("");
  });

  test("a saga's timeout is noticed when it passes, not at the next retry", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error);
    await submitted(node, "saga", "g", { steps: undoable("/a"), options: { timeoutToFail: 30, retryInterval: 100 } });
    expect(node.rest("g")).toBe(30);
    await node.until(() => node.status("g") === "failed");
    expect(node.participants.urls).toEqual(["/a", "/a-undo"]);
  });
});

describe("what is no attempt (R13)", () => {
  test("a repeat that a breaker defers leaves the saga its retry_limit", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    node.participants.hold("/b");
    await submitted(node, "saga", "g", { steps: undoable("/a", "/b"), customData: CONCURRENT, options: { retryLimit: 1 } });
    const [a, b] = [node.participants.inFlight("/a"), node.participants.inFlight("/b")];
    node.core.destinations.begin("/a");
    a.answer(ERROR);
    await settle();
    b.answer(ERROR);
    await settle();
    expect(node.status("g")).toBe("submitted");
    node.participants.inFlight("/b").answer(SUCCESS);
    node.participants.script("/a", REPLIES.ok);
    await node.until(() => node.status("g") === "succeed", 120_000);
  });
});

test("Retry-After holds for the attempts before a nudge", async () => {
  const node = await TestNode.started();
  node.participants.hold("/a");
  await submitted(node, "saga", "g", { steps: undoable("/a") });
  const go = node.watched.block("rest");
  node.participants.inFlight("/a").answer({ kind: "unknown", message: "busy", retryAfterMs: 3_600_000 });
  await settle();
  await node.coordinator.resetNextCronTime("g");
  go();
  await settle();
  node.participants.inFlight("/a").answer(ERROR);
  await settle();
  expect(node.rest("g")).toBeLessThan(60);
});
