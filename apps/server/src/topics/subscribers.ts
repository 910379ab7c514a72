/** How a topic's subscribers are stored: dtm's JSON text `[{"url":"…","remark":"…"}]` (protocol.md 1.11). */

export interface Subscriber {
  readonly url: string;
  readonly remark: string;
}

/** Null when the text is none of ours. Empty text and `null` are a topic without subscribers. */
export function readSubscribers(text: string): readonly Subscriber[] | null {
  if (text === "") return [];
  const value = parse(text);
  if (value === null) return [];
  if (!Array.isArray(value)) return null;
  const subscribers = value.map(toSubscriber);
  return subscribers.every((subscriber) => subscriber !== null) ? subscribers : null;
}

export function writeSubscribers(subscribers: readonly Subscriber[]): string {
  return JSON.stringify(subscribers.map(({ url, remark }) => ({ url, remark })));
}

function toSubscriber(value: unknown): Subscriber | null {
  if (typeof value !== "object" || value === null || !("url" in value) || typeof value.url !== "string") return null;
  return { url: value.url, remark: "remark" in value && typeof value.remark === "string" ? value.remark : "" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
