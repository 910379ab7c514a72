/**
 * A table whose entries come and go with each request. Not a Map or Set: V8 leaves each table that one of those has outgrown pointing to the
 * next one, and a dead table in the old generation keeps all the later ones, with whatever was in them, from the young generation's quick
 * collection (docs/decisions/garbage.md).
 */
export class TransientMap<K extends string | number, V> {
  readonly #entries: Record<string | number, V> = Object.create(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#entries[key];
  }

  has(key: K): boolean {
    return key in this.#entries;
  }

  set(key: K, value: V): void {
    if (!(key in this.#entries)) this.#size++;
    this.#entries[key] = value;
  }

  /** False when there was none. */
  delete(key: K): boolean {
    if (!(key in this.#entries)) return false;
    this.#size--;
    return delete this.#entries[key];
  }

  /** A copy, in no order. */
  values(): V[] {
    return Object.values(this.#entries);
  }
}
