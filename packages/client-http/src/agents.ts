/** Keep-alive connections, one pool for the coordinator and one for branches: their TLS settings have nothing to do with each other. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

/** TLS towards a server. Without it, `https:` uses the authorities that Node trusts. */
export interface TlsOptions {
  /** PEM of the authorities that may sign the server's certificate. Default: those that Node trusts. */
  readonly ca?: string | Buffer | undefined;
  /** PEM of the certificate that this client shows. Default: none. */
  readonly cert?: string | Buffer | undefined;
  /** PEM of that certificate's key. */
  readonly key?: string | Buffer | undefined;
  /** False accepts any certificate, anybody's included: for tests only. Default: true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

export class Agents {
  readonly http = new HttpAgent({ keepAlive: true });
  readonly https: HttpsAgent;
  #closed = false;

  constructor(tls: TlsOptions = {}) {
    const { ca, cert, key, rejectUnauthorized } = tls;
    this.https = new HttpsAgent({
      keepAlive: true,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    });
  }

  /** An agent that was destroyed would open new sockets. */
  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.http.destroy();
    this.https.destroy();
  }
}
