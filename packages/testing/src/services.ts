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
  /** By scheme, host and path, without a slash at the end. */
  readonly #listeners = new Map<string, RequestListener>();

  /**
   * `origin`: scheme and host, as in `http://bank`, or a path below them, as in `http://gateway/bank`; every branch address that begins
   * with it, and with no longer one, is served by `listener`, which sees the whole path. The same one again is served by the new listener.
   */
  mount(origin: string, listener: RequestListener): void {
    const { origin: host, pathname } = new URL(origin);
    this.#listeners.set(host + pathname.replace(/\/+$/, ""), listener);
  }

  async call({ method, url, headers, body }: ServiceRequest): Promise<ServiceAnswer> {
    const { origin, pathname, search } = new URL(url);
    const listener = this.#at(origin + pathname);
    if (listener === undefined) {
      const known = [...this.#listeners.keys()].join(", ") || "none";
      const message = `no service is mounted at ${origin + pathname} (mounted: ${known}): serve("${origin}", app)`;
      throw new DtmError("OPTION_INVALID", message);
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

  /** `http://gateway/bank` begins neither `http://gateway/banking` nor what is mounted deeper. */
  #at(address: string): RequestListener | undefined {
    const begins = [...this.#listeners].filter(([base]) => address === base || address.startsWith(`${base}/`));
    return begins.sort(([a], [b]) => b.length - a.length)[0]?.[1];
  }
}
