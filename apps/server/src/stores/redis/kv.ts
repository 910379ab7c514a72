/** The kv half of the store: few entries in one hash (lua/keys.ts says what a field holds). */
import type { KeyValue } from "../store.js";
import { textOf } from "./rows.js";

export function fieldOf(cat: string, key: string): string {
  return `${cat}\0${key}`;
}

/** From HGETALL of the hash, oldest first. */
export function entriesFrom(flat: unknown): KeyValue[] {
  const entries: KeyValue[] = [];
  if (!Array.isArray(flat)) return entries;
  for (let at = 0; at < flat.length; at += 2) {
    const field = textOf(flat[at]);
    const [, id, version, created, updated, value = ""] = /^(\S+) (\S+) (\S+) (\S+) ([\s\S]*)$/.exec(textOf(flat[at + 1])) ?? [];
    if (field === "" || id === undefined) continue;
    const end = field.indexOf("\0");
    entries.push({
      id: Number(id),
      cat: field.slice(0, end),
      key: field.slice(end + 1),
      value,
      version: Number(version),
      createTime: Number(created),
      updateTime: Number(updated),
    });
  }
  return entries.sort((a, b) => a.id - b.id);
}
