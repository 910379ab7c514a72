import { anInput, aRegistration, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { hearing, TestNode } from "../../test/kit/test-node.js";
import type { Failure } from "../../test/kit/watched-store.js";
import { MemoryStore } from "../stores/memory/store.js";
import type { Store } from "../stores/store.js";
import { settle, VirtualClock } from "./virtual-clock.js";

const SUCCESS = { kind: "success" } as const;
const FAILURE = { kind: "failure", reason: "no stock" } as const;

/** Every write of a life, failing once before and once after it was stored: it ends the same all the same (R7). */
describe("StoreUnavailable at each write, then recovery", () => {
  const DRIVEN: readonly (keyof Store)[] = ["move", "recordBranches", "rest"];
  const cases = DRIVEN.flatMap((method) => (["before", "after"] as const).map((how) => [method, how] as const));

  test.each(cases)("a saga that succeeds after an error: %s fails %s", async (method, how) => {
    const node = await TestNode.started();
    node.participants.script("/b", REPLIES.error, REPLIES.ok);
    node.watched.fail(method, how);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b"), options: { timeoutToFail: 3_000 } }));
    await node.until(() => node.status("g") === "succeed");
    expect(node.rows("g").filter((row) => row.includes("action"))).toEqual(["01 action succeed", "02 action succeed"]);
    expect(node.core.engine.driving).toBe(0);
    expect(node.participants.urls.some((url) => url.includes("undo"))).toBe(false);
  });

  test.each(cases)("a saga that fails: %s fails %s, all that ran is undone in order", async (method, how) => {
    const node = await TestNode.started();
    node.participants.script("/c", REPLIES.error, REPLIES.refuse);
    node.participants.script("/b-undo", REPLIES.error, REPLIES.ok);
    node.watched.fail(method, how, how);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b", "/c"), options: { timeoutToFail: 3_000 } }));
    await node.until(() => node.status("g") === "failed");
    const undone = node.participants.calls.filter(({ op, outcome }) => op === "compensate" && outcome?.kind === "success");
    const order = [...new Set(undone.map(({ url }) => url))];
    expect(order).toEqual(["/c-undo", "/b-undo", "/a-undo"]);
  });

  test.each(cases)("a tcc that times out: %s fails %s", async (method, how) => {
    const node = await TestNode.started();
    node.watched.fail(method, how, how, how);
    await node.coordinator.prepare(anInput("tcc", "g", { options: { timeoutToFail: 5 } }));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    await node.until(() => node.status("g") === "failed");
    expect(new Set(node.participants.urls)).toEqual(new Set(["/no"]));
  });

  test("a rest that lands when its drive was taken up again leaves the transaction to nobody else (R1, R4)", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error);
    const land = node.watched.late("rest");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a"), options: { timeoutToFail: 3_000 } }));
    await settle();
    node.participants.hold("/a");
    await node.until(() => node.participants.urls.length === 2);
    await land();
    expect(node.stored("g").transaction.owner).not.toBe("");
    await node.clock.advance(1_000);
    node.participants.inFlight("/a").answer(SUCCESS);
    await node.until(() => node.status("g") === "succeed");
    expect(node.participants.urls).toEqual(["/a", "/a"]);
  });

  test("while the store stays down nothing is called twice and nothing ends; then it goes on", async () => {
    const node = await TestNode.started();
    node.participants.hold("/a");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await settle();
    node.watched.down = true;
    node.participants.inFlight("/a").answer(SUCCESS);
    await node.clock.advance(120_000);
    expect(node.participants.urls).toEqual(["/a"]);
    node.watched.down = false;
    node.participants.script("/a", REPLIES.ok);
    await node.until(() => node.status("g") === "succeed");
  });

  test("a defect in a drive is logged with its gid and doesn't take others down", async () => {
    const node = await TestNode.started();
    jest.spyOn(node.participants, "destinationOf").mockImplementationOnce(() => {
      throw new Error("a defect");
    });
    await node.coordinator.submit(anInput("saga", "bad", { steps: undoable("/a") }));
    await node.coordinator.submit(anInput("saga", "good", { steps: undoable("/b") }));
    await settle();
    expect(node.status("good")).toBe("succeed");
    expect(node.logged).toContainEqual(
      expect.objectContaining({ level: "error", event: "drive broke off", fields: expect.objectContaining({ gid: "bad" }) }),
    );
    await node.until(() => node.status("bad") === "succeed");
  });
});

describe("the lease in doubt (R7)", () => {
  test.each<Failure>(["before", "after"])(
    "a submit whose outcome is unknown (%s): an error, and the same gid again is fine",
    async (how) => {
      const node = await TestNode.started();
      node.watched.fail("submit", how);
      const input = anInput("saga", "g", { steps: undoable("/a") });
      const first = hearing(node.coordinator.submit(input));
      await settle();
      expect(first.heard).toMatch(/StoreUnavailable/);
      await node.coordinator.submit(input);
      await node.until(() => node.status("g") === "succeed");
      expect(node.participants.urls).toEqual(["/a"]);
    },
  );

  test("a submit that was stored though its reply was lost is driven without the client's help", async () => {
    const node = await TestNode.started();
    node.watched.fail("submit", "after");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") })).catch(() => undefined);
    await node.until(() => node.status("g") === "succeed", 5_000);
  });

  test("an abort that was stored though its reply was lost is driven too", async () => {
    const node = await TestNode.started();
    await node.coordinator.prepare(anInput("tcc", "g"));
    await node.coordinator.registerBranch(aRegistration("tcc", "g", "01", { confirm: "/yes", cancel: "/no" }));
    node.watched.fail("change", "after");
    await node.coordinator.abort(anInput("tcc", "g")).catch(() => undefined);
    await node.until(() => node.status("g") === "failed", 5_000);
  });

  test("a submit whose write lands only after it was read back is driven all the same", async () => {
    const node = await TestNode.started();
    const land = node.watched.late("submit");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") })).catch(() => undefined);
    await node.clock.advance(3_000);
    await land();
    await node.until(() => node.status("g") === "succeed", 60_000);
  });

  test("a claim that lands only after it was read back is driven all the same", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error, REPLIES.ok);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await node.clock.advance(19_900);
    const land = node.watched.late("claimDue");
    await node.clock.advance(200);
    await land();
    await node.until(() => node.status("g") === "succeed", 60_000);
  });

  test("a claim whose reply was lost is read back, not repeated", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.error, REPLIES.ok);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await node.clock.advance(19_999);
    node.watched.fail("claimDue", "after");
    await node.until(() => node.status("g") === "succeed", 10);
  });
});

describe("an unconfirmed heartbeat (R2)", () => {
  async function shared(): Promise<TestNode> {
    const clock = new VirtualClock();
    return TestNode.started({ clock, store: new MemoryStore({ now: () => clock.now(), shared: true }) });
  }

  test("no new call goes out; with the heartbeat back it goes on", async () => {
    const node = await shared();
    node.participants.script("/a", { ...REPLIES.ok, afterMs: 10_000 });
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b"), options: { requestTimeout: 20 } }));
    const go = node.watched.block("heartbeat");
    await node.clock.advance(11_000);
    expect(node.participants.urls).toEqual(["/a"]);
    go();
    await node.until(() => node.status("g") === "succeed");
    expect(node.participants.urls).toContain("/b");
  });

  test("what broke off for it is taken up only when its calls have surely ended: no undo beside its own action (R10)", async () => {
    const node = await shared();
    node.participants.hold("/slow");
    node.participants.script("/first", { ...REPLIES.ok, afterMs: 4_500 });
    node.participants.script("/second", REPLIES.refuse);
    node.participants.script("/slow-undo", REPLIES.ok);
    await node.coordinator.submit(
      anInput("saga", "g", {
        steps: undoable("/slow", "/first", "/second"),
        customData: '{"concurrent":true,"orders":{"2":[1]}}',
        options: { requestTimeout: 30 },
      }),
    );
    await node.clock.advance(100);
    const slow = node.participants.inFlight("/slow");
    node.participants.script("/slow", { outcome: FAILURE });
    const go = node.watched.block("heartbeat");
    await node.clock.advance(4_900);
    go();
    await node.clock.advance(20_000);
    expect(slow.outcome).toBeNull();
    expect(node.participants.urls.filter((url) => url === "/slow")).toHaveLength(1);
    expect(node.participants.urls).not.toContain("/slow-undo");
    await node.until(() => node.status("g") === "failed");
  });
});
