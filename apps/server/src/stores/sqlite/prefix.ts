/** The range of texts that begin with `prefix`, in SQLite's byte order; LIKE would ignore case and the index. Null `below`: no end. */
export function prefixRange(prefix: string): { readonly from: string; readonly below: string | null } {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = nextPoint(last.codePointAt(0) ?? 0);
    if (next !== null) return { from: prefix, below: points.join("") + String.fromCodePoint(next) };
  }
  return { from: prefix, below: null };
}

/** Surrogates are no characters and can't be stored. */
function nextPoint(point: number): number | null {
  if (point === 0x10ffff) return null;
  return point === 0xd7ff ? 0xe000 : point + 1;
}
