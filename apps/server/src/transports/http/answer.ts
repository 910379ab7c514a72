/** What a route hands back: enough to write it out, whichever server asked. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** All of them, names and values in turn, as `writeHead` takes them. */
  readonly headers: readonly string[];
}

export const JSON_TYPE = "application/json; charset=utf-8";
export const TEXT_TYPE = "text/plain; charset=utf-8";
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function text(body: string, contentType: string, status = 200): Answer {
  return { status, body, headers: ["Content-Type", contentType, "Content-Length", String(Buffer.byteLength(body))] };
}

export function json(value: unknown, status = 200): Answer {
  return text(JSON.stringify(value), JSON_TYPE, status);
}

export function withHeader(answer: Answer, name: string, value: string): Answer {
  return { ...answer, headers: [...answer.headers, name, value] };
}

/** SDKs in Java and PHP look for `dtm_result` (protocol.md 1.1). */
export const SUCCESS: Answer = json({ dtm_result: "SUCCESS" });
export const NOT_FOUND: Answer = text("404 page not found", TEXT_TYPE, 404);
