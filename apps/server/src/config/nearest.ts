/** The known name that was probably meant, or null when nothing is close. */
export function nearest(name: string, known: readonly string[]): string | null {
  const ranked = known.map((candidate) => ({ candidate, far: distance(lastPart(name), lastPart(candidate)) }));
  const best = ranked.reduce<(typeof ranked)[number] | null>((a, b) => (a === null || b.far < a.far ? b : a), null);
  return best !== null && best.far <= Math.max(2, Math.floor(lastPart(name).length / 3)) ? best.candidate : null;
}

/** A setting is mostly written in the wrong place or case, so both count for little. */
function lastPart(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1).toLowerCase();
}

/** Levenshtein's, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
