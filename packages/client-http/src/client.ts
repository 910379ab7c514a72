import { Client, type ClientOptions } from "@dtm/client-core";
import { checkHeaders, describe, requireKnown } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";
import { checkTls, type TlsOptions } from "./tls.js";
import { HttpTransport } from "./transport.js";

/** Settings of {@link HttpClient}. */
export interface HttpClientOptions extends ClientOptions {
  /** The coordinator's URL, with or without `/api/dtmsvr`: `http://localhost:36789`. */
  readonly server: string;
  /** The coordinator's token, sent as `Authorization: Bearer` to the coordinator only. Default: none. */
  readonly token?: string | undefined;
  /** TLS towards the coordinator. Default: what Node trusts. */
  readonly tls?: TlsOptions | undefined;
  /** TLS towards branches that this client calls itself (TCC, XA, a message's query). Default: what Node trusts. */
  readonly branchTls?: TlsOptions | undefined;
  /** Headers of every request to the coordinator, none of the connection's own. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const OPTIONS = {
  server: true,
  token: true,
  tls: true,
  branchTls: true,
  headers: true,
  timeoutMs: true,
  onWarning: true,
} satisfies Record<keyof HttpClientOptions, true>;

/**
 * Distributed transactions over HTTP.
 *
 * ```ts
 * const client = new HttpClient({ server: "http://localhost:36789" });
 * await client
 *   .saga()
 *   .step({ action: `${bank}/debit`, compensate: `${bank}/debit-undo`, payload: { amount: 30 } })
 *   .step({ action: `${shop}/ship`, compensate: `${shop}/ship-undo`, payload: { order: "o1" } })
 *   .submit({ waitResult: true });
 * ```
 *
 * Connections are kept open and go straight to their host: proxies from the environment aren't used, redirects aren't followed.
 */
export class HttpClient extends Client {
  /** @throws DtmError OPTION_INVALID, naming the option. */
  constructor(options: HttpClientOptions) {
    requireKnown(options, OPTIONS, { what: "options" });
    const { server, token } = options;
    const tls = checkTls("tls", options.tls);
    const branchTls = checkTls("branchTls", options.branchTls);
    const headers = checkHeaders("headers", options.headers ?? {});
    super(new HttpTransport({ server, token: checkToken(token), tls, branchTls, headers }), options);
  }
}

export function checkToken(token: unknown): string | undefined {
  if (token === undefined) return undefined;
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new DtmError(
    "OPTION_INVALID",
    `token: expected a text of visible ASCII characters, found ${typeof token === "string" ? "others" : describe(token)}`,
  );
}
