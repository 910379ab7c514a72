/** One HTTP request and its whole answer through axios, with everything switched off that would judge, repeat or redirect. */

import { type CallLimits, clientClosed, underClock } from "@dtm/client-core/internal";
import axios, { type AxiosInstance } from "axios";
import type { Agents } from "./agents.js";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export type HttpAnswer =
  | { readonly kind: "answer"; readonly status: number; readonly body: Buffer; readonly retryAfter: string | undefined }
  /** `timedOut`: our own clock ended it. */
  | { readonly kind: "none"; readonly message: string; readonly cause: unknown; readonly timedOut?: boolean | undefined };

/** @throws DtmError CLIENT_CLOSED. */
export type Exchange = (request: HttpRequest, limits: CallLimits) => Promise<HttpAnswer>;

/** What is kept of an answer at most; a longer one counts as none. */
const LARGEST_ANSWER = 64 * 1024 * 1024;

export function exchangeOver(agents: Agents): Exchange {
  const instance: AxiosInstance = axios.create({
    adapter: "http",
    httpAgent: agents.http,
    httpsAgent: agents.https,
    // A redirected POST would arrive as a GET, and a proxy from the environment would see every payload.
    maxRedirects: 0,
    proxy: false,
    responseType: "arraybuffer",
    maxContentLength: LARGEST_ANSWER,
    maxBodyLength: Number.POSITIVE_INFINITY,
    validateStatus: () => true,
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
  });
  return async (request, limits) => {
    if (agents.closed) throw clientClosed();
    return exchange(instance, request, limits);
  };
}

async function exchange(
  instance: AxiosInstance,
  { method, url, headers, body }: HttpRequest,
  limits: CallLimits,
): Promise<HttpAnswer> {
  try {
    return await underClock(limits, async (signal) => {
      const data = body === undefined ? {} : { data: typeof body === "string" ? body : Buffer.from(body) };
      const answer = await instance.request<unknown>({ method, url, headers: { ...headers }, signal, ...data });
      const retryAfter: unknown = answer.headers["retry-after"];
      return {
        kind: "answer" as const,
        status: answer.status,
        body: Buffer.isBuffer(answer.data) ? answer.data : Buffer.alloc(0),
        retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
      };
    });
  } catch (cause) {
    const timedOut = axios.isCancel(cause) && limits.signal?.aborted !== true;
    return { kind: "none", message: tell(cause, limits), cause: causeOf(cause), timedOut };
  }
}

function tell(cause: unknown, limits: CallLimits): string {
  if (axios.isCancel(cause))
    return limits.signal?.aborted === true ? "given up by the caller" : `no answer within ${Math.round(limits.timeoutMs)} ms`;
  if (!(cause instanceof Error)) return String(cause);
  // Node tries every address of a name; the AggregateError of that has no message of its own.
  return cause.message === "" ? String(Reflect.get(cause, "code") ?? cause.name) : cause.message;
}

/** axios hangs the whole request on its error, token and payload included; only what Node said goes on. */
function causeOf(cause: unknown): unknown {
  return axios.isAxiosError(cause) ? (cause.cause ?? new Error(cause.message)) : cause;
}
