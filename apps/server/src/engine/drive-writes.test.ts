import { anInput, aRegistration, sends, undoable } from "../../test/kit/inputs.js";
import { REPLIES } from "../../test/kit/scripted-participants.js";
import { hearing, TestNode } from "../../test/kit/test-node.js";
import { settle } from "./virtual-clock.js";

const SUCCESS = { kind: "success" } as const;
const FAILURE = { kind: "failure", reason: "no stock" } as const;

describe("what it costs (R6)", () => {
  test.each<[string, Parameters<typeof anInput>[2], string[]]>([
    ["a plain saga of two steps: two writes", { steps: undoable("/a", "/b") }, ["submit", "move"]],
    ["a plain saga of five steps: still two", { steps: undoable("/a", "/b", "/c", "/d", "/e") }, ["submit", "move"]],
    [
      "with a timeout: one more per dependent step",
      { steps: undoable("/a", "/b", "/c"), options: { timeoutToFail: 100 } },
      ["submit", "recordBranches", "recordBranches", "move"],
    ],
    ["with a retry limit too", { steps: undoable("/a", "/b"), options: { retryLimit: 1 } }, ["submit", "recordBranches", "move"]],
    [
      "concurrent without orders: nothing depends on anything",
      { steps: undoable("/a", "/b", "/c"), customData: '{"concurrent":true}' },
      ["submit", "move"],
    ],
    [
      "concurrent with orders: before the step that depends",
      { steps: undoable("/a", "/b", "/c"), customData: '{"concurrent":true,"orders":{"2":[0,1]}}' },
      ["submit", "recordBranches", "move"],
    ],
  ])("saga, %s", async (_name, fields, writes) => {
    const node = await TestNode.started();
    await node.coordinator.submit(anInput("saga", "g", fields));
    await node.until(() => node.status("g") === "succeed");
    expect(node.watched.writes).toEqual(writes);
    expect(
      node
        .rows("g")
        .filter((row) => row.includes("action"))
        .every((row) => row.endsWith("succeed")),
    ).toBe(true);
  });

  test("the server's timeout counts like the saga's own", async () => {
    const node = await TestNode.started({ types: { saga: { timeoutToFail: 100 } } });
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b") }));
    await node.until(() => node.status("g") === "succeed");
    expect(node.watched.writes).toEqual(["submit", "recordBranches", "move"]);
  });

  test("a saga that fails: the decision carries the results, the end the compensations", async () => {
    const node = await TestNode.started();
    node.participants.script("/c", REPLIES.refuse);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b", "/c") }));
    await node.until(() => node.status("g") === "failed");
    expect(node.watched.writes).toEqual(["submit", "move", "move"]);
    expect(node.rows("g")).toEqual([
      "01 compensate succeed",
      "01 action succeed",
      "02 compensate succeed",
      "02 action succeed",
      "03 compensate succeed",
      "03 action failed",
    ]);
  });

  test("a msg of three actions: submit and the end", async () => {
    const node = await TestNode.started();
    await node.coordinator.submit(anInput("msg", "g", { steps: sends("/a", "/b", "/c") }));
    await node.until(() => node.status("g") === "succeed");
    expect(node.watched.writes).toEqual(["submit", "move"]);
  });

  test.each(["tcc", "xa"])("%s of two branches: prepare, two registrations, submit and the end", async (type) => {
    const node = await TestNode.started();
    await node.coordinator.prepare(anInput(type, "g"));
    for (const id of ["01", "02"])
      await node.coordinator.registerBranch(aRegistration(type, "g", id, { confirm: "/yes", cancel: "/no", url: "/phase2" }));
    await node.coordinator.submit(anInput(type, "g"));
    await node.until(() => node.status("g") === "succeed");
    expect(node.watched.writes).toEqual(["create", "registerBranches", "registerBranches", "submit", "move"]);
  });

  test("an idle coordinator on a store of its own writes nothing (R2)", async () => {
    const node = await TestNode.started();
    await node.clock.advance(600_000);
    expect(node.watched.writes).toEqual([]);
  });
});

describe("decide, make durable, act (promise 2)", () => {
  test("no compensation goes out before the turn is durable", async () => {
    const node = await TestNode.started();
    node.participants.script("/a", REPLIES.refuse);
    const go = node.watched.block("move");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await settle();
    expect(node.participants.urls).toEqual(["/a"]);
    go();
    await settle();
    expect(node.participants.urls).toEqual(["/a", "/a-undo"]);
  });

  test("no action goes out before the submit is durable", async () => {
    const node = await TestNode.started();
    const go = node.watched.block("submit");
    const request = node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a") }));
    await settle();
    expect(node.participants.urls).toEqual([]);
    go();
    await request;
    await settle();
    expect(node.participants.urls).toEqual(["/a"]);
  });

  test("under a timeout no dependent step goes out before the success is durable", async () => {
    const node = await TestNode.started();
    const go = node.watched.block("recordBranches");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b"), options: { timeoutToFail: 100 } }));
    await settle();
    expect(node.participants.urls).toEqual(["/a"]);
    go();
    await settle();
    expect(node.participants.urls).toEqual(["/a", "/b"]);
  });

  test("a rest carries the results so far", async () => {
    const node = await TestNode.started();
    node.participants.script("/b", REPLIES.error);
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/a", "/b") }));
    await settle();
    expect(node.watched.writes).toEqual(["submit", "rest"]);
    expect(node.rows("g")[1]).toBe("01 action succeed");
  });

  test("the first answer stands: an action that answered while the turn was written is not recorded", async () => {
    const node = await TestNode.started();
    node.participants.hold("/slow");
    node.participants.script("/bad", REPLIES.refuse);
    const go = node.watched.block("move");
    await node.coordinator.submit(anInput("saga", "g", { steps: undoable("/slow", "/bad"), customData: '{"concurrent":true}' }));
    await settle();
    node.participants.inFlight("/slow").answer(SUCCESS);
    await settle();
    go();
    await settle();
    expect(node.status("g")).toBe("failed");
    expect(node.rows("g")).toEqual(["01 compensate succeed", "01 action prepared", "02 compensate succeed", "02 action failed"]);
    expect(node.watched.writes).toEqual(["submit", "move", "move"]);
  });
});

describe("a waiting caller whose time is up sees what is flushed (R11)", () => {
  async function slowThird(): Promise<{ node: TestNode; caller: { heard: string | null } }> {
    const node = await TestNode.started();
    node.participants.hold("/c");
    const input = anInput("saga", "g", {
      steps: undoable("/a", "/b", "/c"),
      options: { waitResult: true, requestTimeout: 60 },
      customData: "",
    });
    node.participants.script("/a", { ...REPLIES.ok, afterMs: 30_000 });
    node.participants.script("/b", { ...REPLIES.ok, afterMs: 30_000 });
    const caller = hearing(node.coordinator.submit(input));
    await settle();
    return { node, caller };
  }

  test("the results so far are durable before the answer", async () => {
    const { node, caller } = await slowThird();
    const go = node.watched.block("recordBranches");
    await node.clock.advance(62_000);
    expect(caller.heard).toBeNull();
    go();
    await settle();
    expect(caller.heard).toBe("WAIT_NOT_SUCCESS wait result not return success: FAILURE");
    expect(node.rows("g").filter((row) => row.endsWith("succeed"))).toEqual(["01 action succeed", "02 action succeed"]);
  });

  test("a flush that fails answers UNAVAILABLE and loses nothing: the turn still carries the results", async () => {
    const { node, caller } = await slowThird();
    node.watched.fail("recordBranches", "before");
    await node.clock.advance(62_000);
    expect(caller.heard).toMatch(/UNAVAILABLE|StoreUnavailable/);
    node.participants.inFlight("/c").answer(FAILURE);
    await node.until(() => node.status("g") === "failed");
    expect(node.rows("g").filter((row) => row.includes("action"))).toEqual([
      "01 action succeed",
      "02 action succeed",
      "03 action failed",
    ]);
  });

  test("a flush under way when the saga turns: the turn doesn't overtake it, and carries what it lost", async () => {
    const { node } = await slowThird();
    const go = node.watched.block("recordBranches");
    await node.clock.advance(62_000);
    node.watched.fail("recordBranches", "before");
    node.participants.inFlight("/c").answer(FAILURE);
    await settle();
    node.participants.hold("/c-undo");
    go();
    await node.until(() => node.status("g") !== "submitted");
    expect(node.rows("g").filter((row) => row.includes("action"))).toEqual([
      "01 action succeed",
      "02 action succeed",
      "03 action failed",
    ]);
  });
});
