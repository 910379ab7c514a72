/** What a route hands back: enough to write it out, whichever server asked. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

export const JSON_TYPE = "application/json; charset=utf-8";
export const TEXT_TYPE = "text/plain; charset=utf-8";
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function json(value: unknown, status = 200): Answer {
  return { status, contentType: JSON_TYPE, body: JSON.stringify(value) };
}

/** SDKs in Java and PHP look for `dtm_result` (protocol.md 1.1). */
export const SUCCESS: Answer = json({ dtm_result: "SUCCESS" });
export const NOT_FOUND: Answer = { status: 404, contentType: TEXT_TYPE, body: "404 page not found" };
