/** The application's services: listeners mounted at origins, called in process without a socket. */
import type { RequestListener } from "node:http";
import { DtmError } from "@dtm/protocol";
import inject from "light-my-request";

export interface ServiceRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
}

export class Services {
  readonly #listeners = new Map<string, RequestListener>();

  /** `origin`: scheme and host, as in `http://bank`; every branch address that begins with it is served by `listener`. */
  mount(origin: string, listener: RequestListener): void {
    this.#listeners.set(new URL(origin).origin, listener);
  }

  async call({ method, url, headers, body }: ServiceRequest): Promise<ServiceAnswer> {
    const { origin, pathname, search } = new URL(url);
    const listener = this.#listeners.get(origin);
    if (listener === undefined) {
      const known = [...this.#listeners.keys()].join(", ") || "none";
      throw new DtmError("OPTION_INVALID", `no service is mounted at ${origin} (mounted: ${known}): serve("${origin}", app)`);
    }
    const payload = body === undefined ? {} : { payload: typeof body === "string" ? body : Buffer.from(body) };
    const answer = await inject(listener, { method, url: pathname + search, headers: { ...headers }, ...payload });
    const retryAfter = answer.headers["retry-after"];
    return {
      status: answer.statusCode,
      body: answer.rawPayload,
      retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
    };
  }
}
