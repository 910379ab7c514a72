import type { Log } from "../engine/coordinator.js";
import { settle, VirtualClock } from "../engine/virtual-clock.js";
import { MemoryKeys } from "../stores/memory/keys.js";
import { type KeyValue, StoreUnavailable } from "../stores/store.js";
import { Topics } from "./registry.js";

const REFRESH = 3_000;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A store that tests can slow down, break and count. */
class Keys extends MemoryKeys {
  reads = 0;
  broken = false;
  #gate: Promise<void> = Promise.resolve();

  override async findKeys(filter: { cat: string; key: string }): Promise<readonly KeyValue[]> {
    this.reads++;
    if (this.broken) throw new StoreUnavailable("down");
    const found = await super.findKeys(filter);
    if (filter.key === "") await this.#gate;
    return found;
  }

  /** Whole reads have looked already, and answer only when the returned function is called. */
  holdWholeReads(): () => void {
    let open: () => void = () => undefined;
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }
}

function nodeOn(store: Keys): { topics: Topics; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { topics: new Topics({ store, clock, log: silent, refreshMs: REFRESH }), clock };
}

async function stored(store: Keys, topic: string): Promise<KeyValue | undefined> {
  return (await store.findKeys({ cat: "topics", key: topic }))[0];
}

let store: Keys;
let topics: Topics;
let clock: VirtualClock;

beforeEach(async () => {
  store = new Keys();
  ({ topics, clock } = nodeOn(store));
  await topics.start();
});
afterEach(() => topics.stop());

test("subscribers are kept in dtm's JSON, and the version counts the changes", async () => {
  await topics.subscribe("news", "http://a", "first");
  expect(await stored(store, "news")).toMatchObject({
    cat: "topics",
    key: "news",
    value: '[{"url":"http://a","remark":"first"}]',
    version: 1,
  });
  await topics.subscribe("news", "host:1/pkg.S/M", "");
  expect(await stored(store, "news")).toMatchObject({ version: 2 });
  expect(await topics.subscribers("news")).toEqual(["http://a", "host:1/pkg.S/M"]);
  await topics.unsubscribe("news", "http://a");
  expect(await stored(store, "news")).toMatchObject({ value: '[{"url":"host:1/pkg.S/M","remark":""}]', version: 3 });
});

test("the last unsubscribe leaves an empty topic, which can be subscribed again", async () => {
  await topics.subscribe("news", "http://a", "");
  await topics.unsubscribe("news", "http://a");
  expect(await stored(store, "news")).toMatchObject({ value: "[]", version: 2 });
  expect(await topics.subscribers("news")).toBeNull();
  await topics.subscribe("news", "http://b", "");
  expect(await topics.subscribers("news")).toEqual(["http://b"]);
});

describe("what can't be done is refused in dtm's words", () => {
  beforeEach(async () => {
    await topics.subscribe("news", "http://a", "");
    await topics.subscribe("empty", "http://a", "");
    await topics.unsubscribe("empty", "http://a");
  });

  test.each<[string, string, () => Promise<void>]>([
    ["subscribe without topic", "empty topic", () => topics.subscribe("", "http://a", "")],
    ["subscribe without url", "empty url", () => topics.subscribe("news", "", "")],
    ["subscribe twice", "this url exists", () => topics.subscribe("news", "http://a", "another remark")],
    ["unsubscribe without topic", "empty topic", () => topics.unsubscribe("", "http://a")],
    ["unsubscribe without url", "empty url", () => topics.unsubscribe("news", "")],
    ["unsubscribe from an unknown topic", "no such a topic", () => topics.unsubscribe("olds", "http://a")],
    ["unsubscribe from an empty topic", "this topic is empty", () => topics.unsubscribe("empty", "http://a")],
    ["unsubscribe an unknown url", "no such an url ", () => topics.unsubscribe("news", "http://b")],
    ["delete an unknown topic", "storage: NotFound", () => topics.deleteTopic("olds")],
    ["delete without topic", "storage: NotFound", () => topics.deleteTopic("")],
  ])("%s", async (_name, message, ask) => {
    await expect(ask()).rejects.toMatchObject({ name: "Refusal", code: "TOPIC_REFUSED", message });
  });

  test.each<[string, () => Promise<void>]>([
    ["a topic over 128 characters", () => topics.subscribe("t".repeat(129), "http://a", "")],
    ["a topic with NUL", () => topics.subscribe("t\0", "http://a", "")],
    ["a url over 1024 characters", () => topics.subscribe("news", `http://${"a".repeat(1018)}`, "")],
    ["a remark over 1024 characters", () => topics.subscribe("news", "http://b", "r".repeat(1025))],
    ["a deleted topic's name with NUL", () => topics.deleteTopic("t\0")],
  ])("%s", async (_name, ask) => {
    await expect(ask()).rejects.toMatchObject({ code: "INVALID_INPUT" });
    expect(await store.findKeys({ cat: "topics", key: "" })).toHaveLength(2);
  });
});

test("more subscribers than the column holds are refused, and those stored stay", async () => {
  const remark = "r".repeat(1024);
  const subscribing = async (): Promise<void> => {
    for (let i = 0; i < 70; i++) await topics.subscribe("news", `http://${i}`, remark);
  };
  await expect(subscribing()).rejects.toMatchObject({ code: "INVALID_INPUT" });
  const { value, version } = (await stored(store, "news")) ?? { value: "", version: 0 };
  expect(Buffer.byteLength(value)).toBeLessThanOrEqual(65_535);
  expect(JSON.parse(value)).toHaveLength(version);
});

test("20 concurrent subscriptions: the version is the number of successes", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, i) => topics.subscribe("news", `http://${i}`, "")));
  expect(await stored(store, "news")).toMatchObject({ version: 20 });
  expect(await topics.subscribers("news")).toHaveLength(20);
});

test("20 nodes that subscribe at once all succeed, and nobody's subscriber is lost", async () => {
  const nodes = Array.from({ length: 20 }, () => nodeOn(store).topics);
  await Promise.all(nodes.map((node, i) => node.subscribe("news", `http://${i}`, "")));
  expect(await stored(store, "news")).toMatchObject({ version: 20 });
  expect(JSON.parse((await stored(store, "news"))?.value ?? "")).toHaveLength(20);
});

test("a writer that always comes second gives up in dtm's words", async () => {
  await topics.subscribe("news", "http://a", "");
  store.updateKey = async () => false;
  await expect(topics.subscribe("news", "http://b", "")).rejects.toMatchObject({ message: "storage: NotFound" });
  store.createKey = async () => "exists";
  await expect(topics.subscribe("olds", "http://b", "")).rejects.toMatchObject({ message: "storage: UniqueKeyConflict" });
});

describe("two nodes (R29)", () => {
  let other: Topics;
  beforeEach(async () => {
    other = nodeOn(store).topics;
    await other.start();
  });
  afterEach(() => other.stop());

  test("a topic that another node made is found at once, though not yet known here", async () => {
    await other.subscribe("news", "http://a", "");
    expect(await topics.subscribers("news")).toEqual(["http://a"]);
  });

  test("one that was empty here, too", async () => {
    await topics.subscribe("news", "http://a", "");
    await topics.unsubscribe("news", "http://a");
    await other.subscribe("news", "http://b", "");
    expect(await topics.subscribers("news")).toEqual(["http://b"]);
  });

  test("another node's change of a known topic shows after one interval", async () => {
    await topics.subscribe("news", "http://a", "");
    await other.subscribe("news", "http://b", "");
    expect(await topics.subscribers("news")).toEqual(["http://a"]);
    await clock.advance(REFRESH);
    expect(await topics.subscribers("news")).toEqual(["http://a", "http://b"]);
  });

  test("what another node deleted is gone after one interval, and a new start at version 1 counts (Q10)", async () => {
    await topics.subscribe("news", "http://a", "");
    await topics.subscribe("news", "http://b", "");
    await other.deleteTopic("news");
    await other.subscribe("news", "http://c", "");
    await clock.advance(REFRESH);
    expect(await topics.subscribers("news")).toEqual(["http://c"]);
    await other.deleteTopic("news");
    await clock.advance(REFRESH);
    expect(await topics.subscribers("news")).toBeNull();
  });
});

test("a known topic costs no read", async () => {
  await topics.subscribe("news", "http://a", "");
  const before = store.reads;
  await topics.subscribers("news");
  expect(store.reads).toBe(before);
});

test.each(["", "t".repeat(129), "t\0"])("a topic that can't be stored is unknown without asking the store", async (topic) => {
  await topics.subscribe("news", "http://a", "");
  const before = store.reads;
  expect(await topics.subscribers(topic)).toBeNull();
  expect(store.reads).toBe(before);
});

test("a refresh that read before this node's change doesn't undo it", async () => {
  await topics.subscribe("kept", "http://a", "");
  await topics.subscribe("dropped", "http://a", "");
  const answer = store.holdWholeReads();
  await clock.advance(REFRESH);
  await topics.subscribe("kept", "http://b", "");
  await topics.subscribe("new", "http://c", "");
  await topics.deleteTopic("dropped");
  answer();
  await settle();
  const before = store.reads;
  expect(await topics.subscribers("kept")).toEqual(["http://a", "http://b"]);
  expect(await topics.subscribers("new")).toEqual(["http://c"]);
  expect(store.reads).toBe(before);
  expect(await topics.subscribers("dropped")).toBeNull();
});

test("while the store is down the known topics stay, an unknown one is the store's error, and it recovers", async () => {
  await topics.subscribe("news", "http://a", "");
  store.broken = true;
  await clock.advance(REFRESH);
  expect(await topics.subscribers("news")).toEqual(["http://a"]);
  await expect(topics.subscribers("olds")).rejects.toBeInstanceOf(StoreUnavailable);
  store.broken = false;
  await store.createKey({ cat: "topics", key: "olds", value: '[{"url":"http://o","remark":""}]', at: 0 });
  await clock.advance(REFRESH);
  const before = store.reads;
  expect(await topics.subscribers("olds")).toEqual(["http://o"]);
  expect(store.reads).toBe(before);
});

test("a store that is down at the start doesn't hold it up", async () => {
  store.broken = true;
  const late = nodeOn(store);
  await late.topics.start();
  store.broken = false;
  await late.topics.subscribe("news", "http://a", "");
  expect(await late.topics.subscribers("news")).toEqual(["http://a"]);
  await late.topics.stop();
});

test("a failed change lets the next one have its turn", async () => {
  await expect(topics.unsubscribe("news", "http://a")).rejects.toThrow("no such a topic");
  await topics.subscribe("news", "http://a", "");
  expect(await topics.subscribers("news")).toEqual(["http://a"]);
});

test("once stopped, nothing is read any more", async () => {
  await topics.stop();
  const before = store.reads;
  await clock.advance(10 * REFRESH);
  expect(store.reads).toBe(before);
  expect(clock.nextAt()).toBeNull();
});

test("a value that isn't ours is nobody's topic, and is never overwritten", async () => {
  await store.createKey({ cat: "topics", key: "odd", value: '{"a":1}', at: 0 });
  await clock.advance(REFRESH);
  expect(await topics.subscribers("odd")).toBeNull();
  await expect(topics.subscribe("odd", "http://a", "")).rejects.toMatchObject({ code: "TOPIC_REFUSED" });
  expect(await stored(store, "odd")).toMatchObject({ value: '{"a":1}' });
});

test("a store whose collation ignores case doesn't mix topics up", async () => {
  await topics.subscribe("News", "http://a", "");
  const found = await store.findKeys({ cat: "topics", key: "News" });
  store.findKeys = async () => found;
  expect(await topics.subscribers("news")).toBeNull();
  await expect(topics.unsubscribe("news", "http://a")).rejects.toThrow("no such a topic");
});

test("keys are found and paged through to the store", async () => {
  await topics.subscribe("a", "http://a", "");
  await topics.subscribe("b", "http://b", "");
  expect(await topics.findKeys({ cat: "topics", key: "a" })).toHaveLength(1);
  const page = await topics.scanKeys({ cat: "topics", position: "", limit: 1 });
  expect(page.entries.map((entry) => entry.key)).toEqual(["b"]);
  expect(page.nextPosition).not.toBe("");
});
