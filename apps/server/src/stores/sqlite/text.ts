/** What SQLite would not give back as it was: a text ends at a NUL when read, and half a surrogate pair is replaced (rules.md R7, R22). */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** For texts that others wrote into an answer: a strange reason must not keep a transaction from turning. */
export function storable(text: string): string {
  return isStorable(text) ? text : text.replace(/[\0\p{Surrogate}]/gu, "\ufffd");
}
