/** dtm's kv table, which holds its topics (protocol.md 7.6): entries that aren't there yet are made, others are compared. */
import { type KeyValueStore, StoreRejected } from "../stores/store.js";
import type { DtmRedis } from "./source.js";

export interface TopicTally {
  readonly imported: number;
  readonly known: number;
}

interface Entry {
  readonly cat: string;
  readonly key: string;
  readonly value: string;
  readonly at: number;
}

export async function importTopics({
  source,
  store,
  trouble,
}: {
  readonly source: Pick<DtmRedis, "entries">;
  readonly store: KeyValueStore | null;
  readonly trouble: (line: string) => void;
}): Promise<TopicTally> {
  let imported = 0;
  let known = 0;
  for await (const page of source.entries()) {
    for (const json of page) {
      const entry = entryFrom(json);
      if (entry === null) {
        trouble("not imported: an entry of dtm's kv table can't be read");
        continue;
      }
      try {
        if (store === null || (await store.createKey(entry)) === "created") imported++;
        else if ((await stored(store, entry)) === entry.value) known++;
        else trouble(`differs, left as it is in the store: ${entry.cat} ${entry.key} has other subscribers`);
      } catch (cause) {
        if (!(cause instanceof StoreRejected)) throw cause;
        trouble(`not imported: ${entry.cat} ${entry.key}: ${cause.message}`);
      }
    }
  }
  return { imported, known };
}

/** A collation that ignores case may find a neighbour. */
async function stored(store: KeyValueStore, { cat, key }: Entry): Promise<string | null> {
  const found = await store.findKeys({ cat, key });
  return found.find((entry) => entry.cat === cat && entry.key === key)?.value ?? null;
}

function entryFrom(json: string): Entry | null {
  const value = parsed(json);
  if (typeof value !== "object" || value === null) return null;
  const { cat, k, v, create_time: created }: Readonly<Record<string, unknown>> = { ...value };
  if (typeof cat !== "string" || typeof k !== "string" || typeof v !== "string" || cat === "" || k === "") return null;
  const at = typeof created === "string" ? Date.parse(created) : Number.NaN;
  return { cat, key: k, value: v, at: Number.isNaN(at) ? 0 : at };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
