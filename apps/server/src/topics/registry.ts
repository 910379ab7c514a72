/**
 * Who subscribes to which topic. What a msg asks is answered from memory, which is read again every ConfigUpdateInterval; what
 * this node changes shows at once, and before a topic counts as unknown the store is asked (R29). How the text in the kv table
 * looks is subscribers.ts's business.
 */
import type { Clock } from "../engine/clock.js";
import type { Log, TopicRegistry } from "../engine/coordinator.js";
import { Refusal } from "../engine/refusal.js";
import type { Millis } from "../engine/transaction.js";
import { checkText } from "../engine/validate.js";
import type { Service } from "../service.js";
import type { KeyValue, KeyValueStore } from "../stores/store.js";
import { readSubscribers, type Subscriber, writeSubscribers } from "./subscribers.js";

export interface TopicParts {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly log: Log;
  /** ConfigUpdateInterval in milliseconds. */
  readonly refreshMs: Millis;
}

const CATEGORY = "topics";
/** Every attempt that is lost was won by another node, so this many of them must collide at once before a writer gives up. */
const ATTEMPTS = 20;
/** Of MySQL's TEXT, in bytes. */
const VALUE_LIMIT = 65_535;
/** Of the kv table's key column, in characters. */
const NAME_LIMIT = 128;

type Urls = readonly string[];

export class Topics implements TopicRegistry, Service {
  readonly name = "topics";
  readonly #parts: TopicParts;
  #urls: ReadonlyMap<string, Urls> = new Map();
  /** What this node changed since the refresh under way began reading: the store's picture of these may be older. */
  readonly #changed = new Set<string>();
  /** The last change of each topic that is being changed: they go one after the other, so a node never collides with itself. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #cancel: () => void = () => undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: TopicParts) {
    this.#parts = parts;
  }

  /** A store that can't answer yet doesn't hold up the start: topics are read when they are asked for. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.#refreshOnce();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#refreshing;
  }

  async subscribers(topic: string): Promise<Urls | null> {
    const known = this.#urls.get(topic);
    if (known !== undefined && known.length > 0) return known;
    // An empty key would find every topic, and no other one is stored.
    if (topic === "" || topic.length > NAME_LIMIT || topic.includes("\0")) return null;
    const stored = await this.#find(topic);
    // Not remembered here: a change of this node may have ended meanwhile, and the next refresh knows better.
    const urls = stored === null ? [] : urlsOf(stored);
    return urls === null || urls.length === 0 ? null : urls;
  }

  async subscribe(topic: string, url: string, remark: string): Promise<void> {
    checkNames(topic, url);
    checkText("url", remark, "remark");
    await this.#change(topic, async () => {
      const stored = await this.#find(topic);
      const before = stored === null ? [] : subscribersOf(stored);
      if (before.some((subscriber) => subscriber.url === url)) throw refused("this url exists");
      return this.#write(topic, stored, [...before, { url, remark }]);
    });
  }

  /** The last one leaves an empty topic behind, as in dtm. */
  async unsubscribe(topic: string, url: string): Promise<void> {
    checkNames(topic, url);
    await this.#change(topic, async () => {
      const stored = await this.#find(topic);
      if (stored === null) throw refused("no such a topic");
      const before = subscribersOf(stored);
      if (before.length === 0) throw refused("this topic is empty");
      const after = before.filter((subscriber) => subscriber.url !== url);
      // The space at the end is dtm's.
      if (after.length === before.length) throw refused("no such an url ");
      return this.#write(topic, stored, after);
    });
  }

  async deleteTopic(topic: string): Promise<void> {
    checkText("gid", topic, "topic");
    await this.#change(topic, async () => {
      if (topic === "" || !(await this.#parts.store.deleteKey(CATEGORY, topic))) throw refused("storage: NotFound");
      return { kind: "written", urls: null };
    });
  }

  findKeys(filter: { readonly cat: string; readonly key: string }): Promise<readonly KeyValue[]> {
    return this.#parts.store.findKeys(filter);
  }

  scanKeys(page: {
    readonly cat: string;
    readonly position: string;
    readonly limit: number;
  }): Promise<{ readonly entries: readonly KeyValue[]; readonly nextPosition: string }> {
    return this.#parts.store.scanKeys(page);
  }

  /** Reads and writes again while other nodes are faster. */
  #change(topic: string, attempt: () => Promise<Written>): Promise<void> {
    return this.#inTurn(topic, async () => {
      let lost = "";
      for (let left = ATTEMPTS; left > 0; left--) {
        const written = await attempt();
        if (written.kind === "written") return this.#show(topic, written.urls);
        lost = written.why;
      }
      throw refused(lost);
    });
  }

  async #write(topic: string, stored: KeyValue | null, subscribers: readonly Subscriber[]): Promise<Written> {
    const { store, clock } = this.#parts;
    const value = writeSubscribers(subscribers);
    if (Buffer.byteLength(value) > VALUE_LIMIT)
      throw new Refusal("INVALID_INPUT", `the subscribers of topic ${topic} don't fit into ${VALUE_LIMIT} bytes`);
    const urls = subscribers.map((subscriber) => subscriber.url);
    const at = clock.now();
    if (stored === null) {
      const created = await store.createKey({ cat: CATEGORY, key: topic, value, at });
      return created === "created" ? { kind: "written", urls } : { kind: "lost", why: "storage: UniqueKeyConflict" };
    }
    const updated = await store.updateKey({ cat: CATEGORY, key: topic, value, version: stored.version, at });
    return updated ? { kind: "written", urls } : { kind: "lost", why: "storage: NotFound" };
  }

  /** A collation that ignores case, or an adopted table's, may find a neighbour. */
  async #find(topic: string): Promise<KeyValue | null> {
    const found = await this.#parts.store.findKeys({ cat: CATEGORY, key: topic });
    return found.find((entry) => entry.key === topic) ?? null;
  }

  #show(topic: string, urls: Urls | null): void {
    this.#changed.add(topic);
    this.#urls = withTopic(this.#urls, topic, urls);
  }

  async #inTurn(topic: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(topic) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => undefined);
    this.#turns.set(topic, over);
    await over;
    if (this.#turns.get(topic) === over) this.#turns.delete(topic);
    await turn;
  }

  async #refreshOnce(): Promise<void> {
    this.#refreshing = this.#refresh();
    await this.#refreshing;
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(this.#parts.refreshMs, () => void this.#refreshOnce());
  }

  /** Replaces the whole map, so that what another node deleted is gone (Q10). */
  async #refresh(): Promise<void> {
    const { store, log } = this.#parts;
    this.#changed.clear();
    let stored: readonly KeyValue[];
    try {
      stored = await store.findKeys({ cat: CATEGORY, key: "" });
    } catch (cause) {
      log.warn({ err: cause }, "topics could not be read; the known ones stay");
      return;
    }
    let fresh = new Map<string, Urls>();
    for (const entry of stored) {
      const urls = urlsOf(entry);
      if (urls === null) log.warn({ topic: entry.key }, "a topic's subscribers can't be read");
      else fresh.set(entry.key, urls);
    }
    for (const topic of this.#changed) fresh = withTopic(fresh, topic, this.#urls.get(topic) ?? null);
    this.#urls = fresh;
  }
}

/** `urls` null: the topic is gone. `lost`: another node changed it since it was read; `why` are dtm's words for that. */
type Written =
  | { readonly kind: "written"; readonly urls: Urls | null }
  | { readonly kind: "lost"; readonly why: "storage: UniqueKeyConflict" | "storage: NotFound" };

function withTopic(map: ReadonlyMap<string, Urls>, topic: string, urls: Urls | null): Map<string, Urls> {
  const changed = new Map(map);
  if (urls === null) changed.delete(topic);
  else changed.set(topic, urls);
  return changed;
}

function checkNames(topic: string, url: string): void {
  if (topic === "") throw refused("empty topic");
  if (url === "") throw refused("empty url");
  checkText("gid", topic, "topic");
  checkText("url", url);
}

function urlsOf(entry: KeyValue): Urls | null {
  return readSubscribers(entry.value)?.map((subscriber) => subscriber.url) ?? null;
}

/** Never overwrites what it can't read. */
function subscribersOf(entry: KeyValue): readonly Subscriber[] {
  const subscribers = readSubscribers(entry.value);
  if (subscribers === null)
    throw refused(`the stored subscribers of topic ${entry.key} can't be read: correct them in the store`);
  return subscribers;
}

function refused(message: string): Refusal {
  return new Refusal("TOPIC_REFUSED", message);
}
