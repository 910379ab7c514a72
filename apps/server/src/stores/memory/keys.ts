import type { KeyValue, KeyValueStore } from "../store.js";

/** The kv half of the reference model. */
export class MemoryKeys implements KeyValueStore {
  readonly #entries = new Map<string, KeyValue>();
  #lastKeyId = 0;

  async createKey(entry: { cat: string; key: string; value: string; at: number }): Promise<"created" | "exists"> {
    const place = `${entry.cat}\n${entry.key}`;
    if (this.#entries.has(place)) return "exists";
    const { cat, key, value, at } = entry;
    this.#entries.set(place, { id: ++this.#lastKeyId, cat, key, value, version: 1, createTime: at, updateTime: at });
    return "created";
  }

  async updateKey(entry: { cat: string; key: string; value: string; version: number; at: number }): Promise<boolean> {
    const place = `${entry.cat}\n${entry.key}`;
    const stored = this.#entries.get(place);
    if (stored?.version !== entry.version) return false;
    this.#entries.set(place, { ...stored, value: entry.value, version: stored.version + 1, updateTime: entry.at });
    return true;
  }

  async deleteKey(cat: string, key: string): Promise<boolean> {
    return this.#entries.delete(`${cat}\n${key}`);
  }

  async findKeys(filter: { cat: string; key: string }): Promise<readonly KeyValue[]> {
    return [...this.#entries.values()].filter(
      (entry) => (filter.cat === "" || entry.cat === filter.cat) && (filter.key === "" || entry.key === filter.key),
    );
  }

  /** Newest first, like the SQL stores; an empty category finds everything. */
  async scanKeys(page: {
    cat: string;
    position: string;
    limit: number;
  }): Promise<{ entries: readonly KeyValue[]; nextPosition: string }> {
    const before = page.position === "" ? Number.POSITIVE_INFINITY : Number(page.position);
    const found = (await this.findKeys({ cat: page.cat, key: "" }))
      .filter((entry) => entry.id < before)
      .sort((a, b) => b.id - a.id);
    const entries = found.slice(0, page.limit);
    const last = entries.at(-1);
    return { entries, nextPosition: found.length > page.limit && last ? String(last.id) : "" };
  }
}
