import { Client, type ClientOptions } from "@dtm/client-core";
import { checkHeaders, requireKnown } from "@dtm/client-core/internal";
import type { TlsOptions } from "@dtm/client-http";
import { checkTls, checkToken } from "@dtm/client-http/internal";
import { GrpcTransport } from "./transport.js";

/** Settings of {@link GrpcClient}. */
export interface GrpcClientOptions extends ClientOptions {
  /** The coordinator's gRPC address: `localhost:36790`. */
  readonly server: string;
  /**
   * The coordinator's HTTP address: gRPC has no query, and `query`, `waitFor` and `waitResult` need one. Default: the same host at port
   * 36789, if `server` has the port 36790.
   */
  readonly httpServer?: string | undefined;
  /** The coordinator's token, sent as metadata `authorization: Bearer …` to the coordinator only. Default: none. */
  readonly token?: string | undefined;
  /** TLS towards the coordinator, gRPC and HTTP; `{}` for TLS with the authorities that Node trusts. Default: none, plain connections. */
  readonly tls?: TlsOptions | undefined;
  /** TLS towards branches that this client calls itself (TCC, XA, a message's query). Default: none, plain connections. */
  readonly branchTls?: TlsOptions | undefined;
  /** Metadata (and headers) of every request to the coordinator, none of the connection's own. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const OPTIONS = {
  server: true,
  httpServer: true,
  token: true,
  tls: true,
  branchTls: true,
  headers: true,
  timeoutMs: true,
  onWarning: true,
} satisfies Record<keyof GrpcClientOptions, true>;

/**
 * Distributed transactions over gRPC, with the surface of the HTTP client.
 *
 * ```ts
 * const client = new GrpcClient({ server: "localhost:36790" });
 * const debit = grpcBranch("bank:50051", BankService.debit);
 * const debitUndo = grpcBranch("bank:50051", BankService.debitUndo);
 * await client.saga().step({ action: debit, compensate: debitUndo, payload: { amount: 30 } }).submit({ waitResult: true });
 * ```
 *
 * Payloads are messages (addresses made by `grpcBranch`) or bytes. Branches with `http://` addresses get JSON.
 */
export class GrpcClient extends Client {
  /** @throws DtmError OPTION_INVALID, naming the option. */
  constructor(options: GrpcClientOptions) {
    requireKnown(options, OPTIONS, { what: "options" });
    const { server, httpServer, token } = options;
    const tls = checkTls("tls", options.tls);
    const branchTls = checkTls("branchTls", options.branchTls);
    const headers = checkHeaders("headers", options.headers ?? {});
    super(new GrpcTransport({ server, httpServer, token: checkToken(token), tls, branchTls, headers }), options);
  }
}
