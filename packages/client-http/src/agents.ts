/** Keep-alive connections, one pool for the coordinator and one for branches: their TLS settings have nothing to do with each other. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { TlsOptions } from "./tls.js";

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
